"""What a tool works at: the binaries of its session, the task board, and how long analysis blocks.

The server makes one `Workspaces` and hands each call a `Desk`. Nothing here reads or writes a disk.
"""

import time
from collections import OrderedDict

import msgspec

from gateway.demo.listing import BUILT_IN, fresh_binary
from gateway.demo.model import Binary, ToolError
from gateway.demo.tasks import TaskBoard

MAX_BINARIES = 10
"""Most binaries open in one session; BinAssistMCP's `BINASSISTMCP_BINARY__MAX_BINARIES`."""


class Workspace:
    """The binaries open in one session, with every change made to them there."""

    def __init__(self) -> None:
        self.binaries: dict[str, Binary] = {name: fresh_binary(name) for name in BUILT_IN}
        self.exported: dict[str, bytes] = {}
        """What `export_program` wrote, by path."""

    def open(self, name: str, path: str) -> Binary:
        """Open a binary under this name; the open one when there is one. `ToolError` when too many are."""
        if name in self.binaries:
            return self.binaries[name]
        if len(self.binaries) >= MAX_BINARIES:
            raise ToolError(f"{MAX_BINARIES} binaries are open already, the most a session may have")
        binary = fresh_binary(BUILT_IN[0])
        binary.name, binary.path = name, path
        self.binaries[name] = binary
        return binary


class Workspaces:
    """The workspace of every session. Callers without a session share one."""

    def __init__(self, *, most: int = 1000) -> None:
        # The SDK does not tell when a session ends. Keeping only those used last bounds the memory.
        self._most = most
        self._by_session: OrderedDict[str, Workspace] = OrderedDict()
        self._shared = Workspace()

    def of(self, session_id: str | None) -> Workspace:
        """The workspace of a session, made when first asked for."""
        if session_id is None:
            return self._shared
        if session_id not in self._by_session:
            self._by_session[session_id] = Workspace()
        self._by_session.move_to_end(session_id)
        if len(self._by_session) > self._most:
            self._by_session.popitem(last=False)
        return self._by_session[session_id]


class Desk(msgspec.Struct, frozen=True):
    """Everything one call may touch."""

    workspace: Workspace
    tasks: TaskBoard
    analysis_s: float = 0.0

    def binary(self, filename: str) -> Binary:
        """The open binary of that name; `ToolError` when there is none."""
        found = self.workspace.binaries.get(filename)
        if found is None:
            known = ", ".join(self.workspace.binaries)
            raise ToolError(f"no binary {filename!r} is open; open are: {known}")
        return found

    def analyse(self) -> None:
        """Take as long as analysis does.

        Blocks the thread on purpose: BinAssistMCP runs its tools on its event loop, and so answers nobody
        while one of them analyses. That is what `--slow` is there to show.
        """
        if self.analysis_s:
            time.sleep(self.analysis_s)
