"""An MCP server over stdio that does what the tool it is asked for is called, most of it bad. Run as a script.

`exit` as its argument makes it end at once, `mute` never answer, `legacy` know no revision without sessions. With
nothing but the standard library, so that it starts fast. The tools are those of `BEHAVIOURS`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

calls = 0


def write(data: bytes) -> None:
    """Write to standard output, all of it."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def say(message: object) -> None:
    """Send a message."""
    write(json.dumps(message).encode() + b"\n")


def answer(request: dict, text: str) -> None:
    """Answer a call."""
    say({"jsonrpc": "2.0", "id": request["id"], "result": {"content": [{"type": "text", "text": text}]}})


def note(**params: object) -> dict:
    """A notification that nobody asked for."""
    return {"jsonrpc": "2.0", "method": "notifications/message", "params": params}


def garbage(request: dict) -> None:
    """Lines that are no messages, and then the answer."""
    write(b'Starting...\n\n[1, 2]\n42\n"text"\n{}\n{broken\nNaN\n' + b"{" * 5000 + b"\n" + b"noise\n" * 1000)
    answer(request, "after garbage")


def binary(request: dict) -> None:
    """Bytes that are no text."""
    write(bytes(range(256)) * 64 + b"\x1b[2J\r\n\xff\xfe\n")
    answer(request, "after binary")


def half(request: dict) -> None:
    """An answer in pieces, then half of one and the end."""
    for byte in json.dumps(note(n=1)).encode() + b"\r\n":
        write(bytes([byte]))
    write(b'{"jsonrpc":"2.0","id":%d,"res' % (request["id"] if isinstance(request["id"], int) else 0))
    os._exit(3)


def huge(request: dict) -> None:
    """A line without end."""
    while True:
        write(b"x" * (1 << 20))


def flood_errors(request: dict) -> None:
    """50 MB on standard error, as lines and as one."""
    for chunk in (b"error \x1b[31mred\n" * 4096, b"y" * 65536):
        for _ in range(400):
            os.write(2, chunk)
    answer(request, "after 50 MB")


def flood_notes(request: dict) -> None:
    """More notifications than anybody keeps."""
    for number in range(20_000):
        say(note(number=number, data="z" * 200))
    answer(request, "after the flood")


def die(request: dict) -> None:
    """Be killed in the middle of a call."""
    os.kill(os.getpid(), signal.SIGKILL)


def silent(request: dict) -> None:
    """Never answer."""


def deaf(request: dict) -> None:
    """Read nothing any more."""
    answer(request, "deaf from now on")
    time.sleep(3600)


def stubborn(request: dict) -> None:
    """Neither SIGTERM nor the end of the input ends it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    answer(request, "stubborn from now on")
    while True:
        time.sleep(3600)


def unasked(request: dict) -> None:
    """Answers to what nobody asked, and then the right one."""
    for id in (999, "1", None, True, 1.0, [1], {"a": 1}):
        say({"jsonrpc": "2.0", "id": id, "result": {"tools": [{"name": "stolen"}]}})
    answer(request, "the right one")


def twice(request: dict) -> None:
    """The same answer again."""
    answer(request, "once")
    answer(request, "twice")


def fork(request: dict) -> None:
    """Leave a child behind that keeps the output open, in the group, and die."""
    subprocess.Popen([sys.executable, "-SEc", "import time; time.sleep(3600)"])
    os._exit(0)


def escape(request: dict) -> None:
    """The same, with a child that has left the group: it prints its id on standard error and ends after a while."""
    subprocess.Popen([sys.executable, "-SEc", "import time; time.sleep(8)"], start_new_session=True)
    os._exit(0)


def report(request: dict) -> None:
    """Say what it was asked, and in which environment it runs."""
    answer(request, json.dumps({"asked": request, "env": dict(os.environ), "cwd": str(Path.cwd()), "argv": sys.argv}))


def ordinary(request: dict) -> None:
    """Count the calls of this process."""
    global calls  # noqa: PLW0603
    calls += 1
    answer(request, f"call {calls} in {os.getpid()}")


def progress(request: dict) -> None:
    """Two steps of progress, and the answer."""
    token = request["params"]["_meta"]["progressToken"]
    for step in (1, 2):
        params = {"progressToken": token, "progress": step}
        say({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
    answer(request, f"progress of {json.dumps(token)}")


BEHAVIOURS = {
    made.__name__: made
    for made in (
        *(garbage, binary, half, huge, flood_errors, flood_notes, die, silent, deaf, stubborn, unasked, twice, fork),
        *(escape, report, progress),
    )
}


def hear(message: dict) -> None:
    """Do what a message asks for."""
    match message.get("method"):
        case "initialize":
            version = message["params"]["protocolVersion"]
            result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": {"name": "scripted"}}
        case "server/discover" if "legacy" not in sys.argv:
            result = {
                "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {}},
                "resultType": "complete",
                "ttlMs": 0,
                "cacheScope": "private",
            }
        case "tools/list":
            result = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in BEHAVIOURS]}
        case "tools/call":
            BEHAVIOURS.get(message["params"]["name"], ordinary)(message)
            return
        case "notifications/cancelled":
            os.write(2, f"cancelled {json.dumps(message['params']['requestId'])}\n".encode())
            return
        case _:
            if "id" in message and "method" in message:
                error = {"code": -32601, "message": "Method not found"}
                say({"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
    say({"jsonrpc": "2.0", "id": message["id"], "result": result})


def main() -> None:
    """Serve until the input ends."""
    if "exit" in sys.argv:
        sys.exit("cannot start")
    for line in sys.stdin.buffer:
        if "mute" not in sys.argv:
            hear(json.loads(line))


if __name__ == "__main__":
    main()
