"""A process as the system has it."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from gateway.proxy import process_pipes
from gateway.proxy.line_log import LineLog
from gateway.proxy.process_pipes import ProcessPipes
from tests.support.waiting import eventually

Start = Callable[[str], Awaitable[ProcessPipes]]


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Starts shells, and stops them at the end."""
    monkeypatch.setattr(process_pipes, "STOP_S", 0.2)
    started: list[ProcessPipes] = []

    async def begin(script: str) -> ProcessPipes:
        loop = asyncio.get_running_loop()
        _, pipes = await loop.subprocess_exec(
            lambda: ProcessPipes(LineLog("test")), "/bin/sh", "-c", script, start_new_session=True
        )
        started.append(pipes)
        return pipes

    yield begin
    for pipes in started:
        await pipes.stop()


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_what_is_written_and_read(start: Start, caplog: pytest.LogCaptureFixture):
    """Bytes go in and come out; standard error is logged."""
    caplog.set_level("INFO")
    pipes = await start("echo oh >&2; exec cat")
    await pipes.write(b"a\0b")
    assert await pipes.read() == b"a\0b"
    await pipes.stop()
    assert await pipes.read() == b""
    assert caplog.messages == ["test: oh"]


async def test_a_process_that_ends_with_its_input_gets_no_signal(start: Start):
    """It may finish what it does."""
    pipes = await start("trap 'echo signal; exit' TERM; cat; echo finished")
    await pipes.write(b"x")
    assert await pipes.read() == b"x"
    await pipes.stop()
    assert await pipes.read() == b"finished\n"


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("trap 'echo term; exit' TERM; echo up; while :; do sleep 1; done", b"term\n"),
        ("trap '' TERM; echo up; sleep 60", b""),
    ],
)
async def test_one_that_does_not_is_signalled(start: Start, script: str, last: bytes):
    """With SIGTERM first, and SIGKILL where that is ignored; what it has started ends with it."""
    pipes = await start(script)
    assert await pipes.read() == b"up\n"
    async with asyncio.timeout(5):
        await pipes.stop()
        assert await pipes.read() == last
    assert not is_alive(pipes._process.get_pid())


async def test_what_a_dead_process_leaves_behind_ends(start: Start):
    """A child in its group holds the output open, and is killed when the process ends by itself."""
    pipes = await start("sleep 60 & echo $!; exit 1")
    child = int(await pipes.read())
    async with asyncio.timeout(5):
        assert await pipes.read() == b""
    # Whoever adopts orphans here has to notice first.
    await eventually(lambda: not is_alive(child) or is_zombie(child))


def is_zombie(pid: int) -> bool:
    """Whether it has ended and nobody has asked."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
        return stat.read().rpartition(")")[2].split()[0] == "Z"
    return True


async def test_output_held_open_from_outside_of_the_group_ends_too(start: Start):
    """A child that has left the group lives on, but nobody waits for it."""
    pipes = await start("setsid sleep 3 & exit 1")
    async with asyncio.timeout(2):
        assert await pipes.read() == b""


async def test_writing_waits_until_it_is_read(start: Start):
    """So that a process which reads nothing is noticed."""
    pipes = await start("sleep 60")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pipes.write(b"x" * 1_000_000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pipes.drained()
