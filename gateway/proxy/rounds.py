"""Calls in several rounds (2026-07-28, `input_required`): which request goes on with one that has spent already.

A round is free only if its grant was given that very `requestState`, in an answer to the same tool and arguments,
within the last ten minutes, and has not used it yet (policy.md, "Limits"). What a restart forgets is charged anew.
"""

import collections
import hashlib
import secrets
from typing import Any, Final

import orjson

from gateway.clock import Clock
from gateway.mcp import strict_json
from gateway.mcp.message import Request
from gateway.mcp.strict_json import StrictJsonError
from gateway.proxy.answer_filter import AnswerFilter, Watch

MAX_ROUNDS: Final = 10_000
LIFETIME_NS: Final = 600_000_000_000
_MARK: Final = b"input_required"


class Rounds:
    """The rounds that are open, the latest `MAX_ROUNDS` of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # Kept as a hash under a key of this process: a state is the server's, and may hold anything.
        self._key = secrets.token_bytes(32)
        self._expiries_ns: collections.OrderedDict[bytes, int] = collections.OrderedDict()

    def is_open(self, server: str, grant: str, request: Request) -> bool:
        """Whether this `tools/call` goes on with a call that has spent already."""
        state = request.params.get("requestState")
        if not isinstance(state, str):
            return False
        return self._expiries_ns.get(self._name(server, grant, request, state), 0) > self._clock.monotonic_ns()

    def close(self, server: str, grant: str, request: Request) -> None:
        """The round has begun: the same state opens no other."""
        self._expiries_ns.pop(self._name(server, grant, request, str(request.params.get("requestState"))), None)

    def watch(self, server: str, grant: str, request: Request, then: AnswerFilter | None) -> AnswerFilter:
        """Notes the round that an answer to this call opens; `then` filters the answer."""

        def seen(text: bytes) -> None:
            state = _state_in(text)
            if state is not None:
                self._open(self._name(server, grant, request, state))

        return Watch(_MARK, seen, then)

    def _open(self, name: bytes) -> None:
        self._expiries_ns[name] = self._clock.monotonic_ns() + LIFETIME_NS
        self._expiries_ns.move_to_end(name)
        while len(self._expiries_ns) > MAX_ROUNDS:
            self._expiries_ns.popitem(last=False)

    def _name(self, server: str, grant: str, request: Request, state: str) -> bytes:
        parts = [server, grant, request.target, request.arguments, state]
        return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), key=self._key).digest()


def _state_in(text: bytes) -> str | None:
    """The state of an answer that asks for another round."""
    try:
        message: Any = strict_json.load(text)
    except StrictJsonError:
        return None
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, dict) or result.get("resultType") != "input_required":
        return None
    state = result.get("requestState")
    return state if isinstance(state, str) else None
