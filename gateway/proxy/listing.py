"""Filtering of lists: a grant sees only what it could call. The same engine that judges calls decides."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from gateway.mcp.methods import LIST_MEMBERS
from gateway.policy.decision import Kind
from gateway.policy.engine import Judge
from gateway.proxy.answer_filter import AnswerFilter, UnreadableAnswerError
from gateway.proxy.calls import kind_of_list
from gateway.proxy.pins import Pins

# What an entry of each list is called by. A template is judged by its text.
_NAMES: Final = {"tools": "name", "prompts": "name", "resources": "uri", "resourceTemplates": "uriTemplate"}


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
            result[member] = self._visible(kind_of_list(LIST_MEMBERS[member]), _NAMES[member], result[member])
        if members and "cacheScope" in result:
            # Two grants may see two lists, so no cache may serve one grant's to another (2026-07-28 caching).
            result["cacheScope"] = "private"
        return bool(members)

    def _visible(self, kind: Kind, name: str, entries: Any) -> list[Any]:
        if not isinstance(entries, list):
            raise UnreadableAnswerError("The server sent a list that is no array.")
        named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get(name), str)]
        if kind is Kind.TOOL:
            self._learn(tool[name] for tool in named)
            if self._pins is not None:
                # Every entry is compared, also those that this grant does not see.
                named = list(filter(self._pins.shows, named))
        engine = self._judge()
        return [entry for entry in named if engine.sees(kind, entry[name])]
