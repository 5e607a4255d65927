"""Filtering of lists: a grant sees only what it could call. The same engine that judges calls decides."""

from collections.abc import Callable, Iterable
from typing import Any

from gateway.mcp.methods import LIST_MEMBERS, Governance
from gateway.policy.engine import Judge
from gateway.proxy.answer_filter import AnswerFilter, UnreadableAnswerError
from gateway.proxy.pins import Pins


class ListFilter(AnswerFilter):
    """Filters the lists in what one server sends to one grant."""

    def __init__(
        self, judge: Callable[[], Judge], learn: Callable[[Iterable[str]], None], pins: Pins | None = None
    ) -> None:
        """`judge` gives what is in force when a list passes.

        `learn` is told the names of the tools that the server itself lists; `pins` is what it is held to.
        """
        self._judge = judge
        self._pins = pins
        self._learn = learn

    def _filter(self, message: dict[str, Any]) -> bool:
        result = message.get("result")
        if not isinstance(result, dict):
            return False
        members = [member for member in LIST_MEMBERS if member in result]
        for member in members:
            result[member] = self._visible(LIST_MEMBERS[member], result[member])
        if members and "cacheScope" in result:
            # Two grants may see two lists, so no cache may serve one grant's to another (2026-07-28 caching).
            result["cacheScope"] = "private"
        return bool(members)

    def _visible(self, governance: Governance, entries: Any) -> list[Any]:
        if not isinstance(entries, list):
            raise UnreadableAnswerError("The server sent a list that is no array.")
        engine = self._judge()
        if governance is not Governance.TOOL_LIST:
            return entries if engine.default_allows else []
        tools = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        self._learn(tool["name"] for tool in tools)
        if self._pins is not None:
            # Every entry is compared, also those that this grant does not see.
            tools = list(filter(self._pins.shows, tools))
        return [tool for tool in tools if engine.sees(tool["name"])]
