"""What a client cannot do, with or without a gateway, and why. Every other cell of the matrix must be good."""

from collections.abc import Mapping
from typing import Final

# Columns that no step of the agent shows: the audit journal does, or how the agent's process ended.
CANCEL_ARRIVES: Final = "cancel arrives"
ONE_SESSION: Final = "one session"
CLOSE: Final = "close"

_FORGETS: Final = "forgets the call, and tells the server nothing"
_LISTS_FIRST: Final = "looks every tool up in the list, and so never calls one that is hidden"
_NO_PROGRESS: Final = "shows no progress"
_NO_CANCEL: Final = "shows no progress, so nothing says when there is a call to cancel"

GAPS: Final[Mapping[str, Mapping[str, str]]] = {
    "mcp 1.30.0": {CANCEL_ARRIVES: _FORGETS},
    "mcp 1.30.0 sse": {CANCEL_ARRIVES: _FORGETS},
    "mcp 1.30.0 stdio": {CANCEL_ARRIVES: _FORGETS},
    "Inspector 2.12.0 cli": {
        "denied": _LISTS_FIRST,
        "progress": _NO_PROGRESS,
        "cancel": _NO_CANCEL,
        CANCEL_ARRIVES: _NO_CANCEL,
        "elicitation": "has nobody to ask, and cancels the question by itself",
        "sampling": "has no model",
        ONE_SESSION: "opens one for each command",
    },
    "Inspector 2.12.0 mcpdo": {
        "denied": _LISTS_FIRST,
        "progress": _NO_PROGRESS,
        "cancel": _NO_CANCEL,
        CANCEL_ARRIVES: _NO_CANCEL,
        "sampling": "has no model, and waits for one without end",
    },
}
"""By the name of the client, then by column."""
