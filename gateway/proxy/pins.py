"""Pins at run time: what a server lists is compared with what was recorded of it, and what differs is dealt with.

The list filter shows every entry that passes, `pin_look` those of the gateway's own listing; the gate asks before
each call. Nothing is awaited here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from gateway.catalog.fingerprint import fingerprint
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict

Handling = Literal["hide", "flag", "allow"]
"""What becomes of a tool that is not as pinned: hidden and denied; shown, counted and logged; only recorded."""
Change = Literal["changed", "new"]
Report = Callable[[str, Change], None]
"""Takes a tool's name and how it differs."""

# Beyond this many definitions that differ, a server is told of no more: it makes them up as it goes.
MAX_REPORTS: Final = 10_000


class Pins:
    """The pins of one server, and which of its tools were last seen as they were pinned."""

    def __init__(self, server: str, handling: Handling, tools: Mapping[str, str], report: Report) -> None:
        """`tools` has the recorded fingerprints; `report` is told once of each definition that differs."""
        self._server = server
        self._handling = handling
        self._tools = tools
        self._report = report
        self._as_pinned: set[str] = set()
        self._changed: set[str] = set()
        self._reported: set[str] = set()

    def shows(self, entry: dict[str, Any]) -> bool:
        """Note an entry of a list that passes, which has a name; whether an agent may see it."""
        name, seen = entry["name"], fingerprint(entry)
        pinned = self._tools.get(name)
        if seen == pinned:
            self._as_pinned.add(name)
            self._changed.discard(name)
            return True
        if pinned is not None:
            self._as_pinned.discard(name)
            self._changed.add(name)
        self._tell(name, seen, "new" if pinned is None else "changed")
        return self._handling != "hide"

    def refusal(self, tool: str) -> Decision | None:
        """The denial of a call, where tools that are not as pinned are hidden; None where it may go on.

        A tool that was not seen yet may have changed as well, so its calls wait for the first list.
        """
        if self._handling != "hide" or tool in self._as_pinned:
            return None
        if tool in self._changed:
            message = f"{tool} is not what it was when it was pinned. A person has to look at it and run `gateway pin`."
        elif tool in self._tools:
            message = f"{tool} cannot be called until {self._server} has listed its tools. Try again in a moment."
        else:
            message = f"{tool} is not pinned. A person has to look at it and run `gateway pin`."
        return Decision(Verdict.DENY, names.PINNED, message)

    def _tell(self, name: str, seen: str, change: Change) -> None:
        if seen in self._reported or len(self._reported) >= MAX_REPORTS:
            return
        self._reported.add(seen)
        self._report(name, change)
