"""One process of a server, and the messages to and from it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from gateway.proxy import process_pipes, server_process
from gateway.proxy.command import Command
from gateway.proxy.server_process import ServerProcess
from gateway.proxy.upstream import Failure, UpstreamError
from gateway.tasks import Tasks
from tests.support.commands import scripted, shell
from tests.support.waiting import eventually

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


class Running:
    """A process, and what it has said."""

    def __init__(self, command: Command, tasks: Tasks) -> None:
        self.process = ServerProcess("binassist", command, 5, tasks)
        self.said: list[Any] = []
        self.run = tasks.spawn(self.process.run(self._take), "run")

    async def _take(self, message: dict[str, Any], data: bytes) -> None:
        assert orjson.loads(data) == message
        self.said.append(message)


@pytest.fixture
async def begin(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[Command], Running]]:
    """Runs commands; all are ended at the end, and nothing goes on."""
    monkeypatch.setattr(process_pipes, "STOP_S", 0.2)
    tasks, started = Tasks(), []

    def make(command: Command) -> Running:
        started.append(Running(command, tasks))
        return started[-1]

    yield make
    for running in started:
        running.process.end()
    async with asyncio.timeout(5):
        await tasks.finished()


async def test_messages_go_in_and_come_out(begin: Callable[[Command], Running]):
    """One in each line; the process ends when it is told to, and nothing can be sent to it then."""
    running = begin(scripted())
    assert running.process.is_starting
    await running.process.write(PING)
    await eventually(lambda: running.said)
    assert running.said == [{"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "Method not found"}}]
    assert running.process.has_spoken
    running.process.end()
    with pytest.raises(UpstreamError, match="has ended") as raised:
        await running.process.write(PING)
    assert raised.value.may_have_run is False
    await running.run
    assert not running.process.has_failed


async def test_only_messages_are_passed_on(begin: Callable[[Command], Running], caplog: pytest.LogCaptureFixture):
    """Lines that are none are logged; half a line at the end is nothing."""
    caplog.set_level("INFO")
    lines = r"""printf 'hello\n\n[1]\n{"a":1}\n{"id":1}\r\n \n{"id":NaN}\n{"method":"m"}\n{"id":'"""
    running = begin(shell(lines))
    await running.run
    assert running.said == [{"id": 1}, {"method": "m"}]
    await eventually(lambda: len(caplog.messages) == 4)
    assert [text.rpartition("no message: ")[2] for text in caplog.messages] == ["hello", "[1]", '{"a":1}', '{"id":NaN}']


@pytest.mark.parametrize(
    ("command", "reason"),
    [(Command(("./none",), {}, shell("").folder), "there is no program ./none"), (scripted(), "no such file")],
)
async def test_a_process_that_cannot_be_started(
    begin: Callable[[Command], Running], command: Command, reason: str, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    """Whoever waits is told why; nothing has run."""
    if reason == "no such file":
        command = Command(command.arguments, {}, tmp_path / "gone")
    running = begin(command)
    for waiting in (running.process.started(), running.process.write(PING)):
        with pytest.raises(UpstreamError, match=reason) as raised:
            await waiting
        assert (raised.value.failure, raised.value.may_have_run) == (Failure.DOWN, False)
    with pytest.raises(UpstreamError):
        await running.run


async def test_a_line_that_is_too_long_ends_it(begin: Callable[[Command], Running], monkeypatch: pytest.MonkeyPatch):
    """Nothing of it is kept."""
    monkeypatch.setattr(server_process, "MAX_EVENT_BYTES", 1000)
    running = begin(shell("while :; do printf 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'; done"))
    with pytest.raises(UpstreamError, match="more than 1000 bytes"):
        await running.run
    assert running.process.is_ending


async def test_a_process_that_does_not_read_is_ended(begin: Callable[[Command], Running]):
    """The message that did not fit has not run, nor has the one behind it, nor does anybody wait for long."""
    running = begin(shell("sleep 60"))
    await running.process.started()
    writes = [running.process.write(b"x" * 1_000_000, 0.05) for _ in range(2)]
    for result in await asyncio.gather(*writes, return_exceptions=True):
        assert isinstance(result, UpstreamError)
        assert result.may_have_run is False
    async with asyncio.timeout(5):
        await running.run


async def test_a_process_that_has_closed_its_input_is_ended(begin: Callable[[Command], Running]):
    """It would not read the next message either."""
    running = begin(shell("exec <&-; echo '{\"id\":1}'; sleep 60"))
    await eventually(lambda: running.said)
    with pytest.raises(UpstreamError, match="ended"):
        await running.process.write(PING)
    assert running.process.is_ending
    async with asyncio.timeout(5):
        await running.run


async def test_who_leaves_while_writing_leaves_whole_lines(begin: Callable[[Command], Running]):
    """The rest of the line is written before the next."""
    running = begin(shell("sleep 0.3; exec cat"))
    await running.process.started()
    large = orjson.dumps({"id": "x" * 500_000})
    writing = asyncio.ensure_future(running.process.write(large))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(writing, 0.05)
    await running.process.write(PING)
    await eventually(lambda: len(running.said) == 2)
    assert running.said == [orjson.loads(large), orjson.loads(PING)]


async def test_ending_one_that_has_not_started(begin: Callable[[Command], Running]):
    """It is started and ended, or never started, and nobody waits for ever."""
    running = begin(scripted())
    running.process.end()
    running.process.tell(PING)
    async with asyncio.timeout(5):
        await running.run
