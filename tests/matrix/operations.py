"""What every client does before the gateway, and what it must see: the columns of the matrix.

The server is the fixture of the conformance suite. The policy denies one of its tools, refuses one argument of
another, and limits a third.
"""

from typing import Any, Final

from gateway.mcp.versions import Era
from tests.support.agents import Step

Script = list[tuple[Step, Any]]
"""Steps, each with what the agent must see."""

SLOW_TOOL: Final = "test_tool_with_progress"
DENIED_TOOL: Final = "test_embedded_resource"
_JUDGED_TOOL: Final = "test_x_mcp_header"
_LIMITED_TOOL: Final = "test_multiple_content_types"

POLICY: Final[dict[str, Any]] = {
    "version": "1",
    "default": "allow",
    "tools": {
        DENIED_TOOL: {"action": "deny", "reason": "Nobody may."},
        _JUDGED_TOOL: {
            "deny_if": [
                {"conditions": [{"path": "args.region", "op": "eq", "value": "moon"}], "on_deny": "Not that far."}
            ]
        },
        _LIMITED_TOOL: {"limits": [{"counter": "contents", "window": "hour", "max": 1, "scope": "grant"}]},
    },
}

_VERSIONS: Final = {Era.LEGACY: "2025-11-25", Era.MODERN: "2026-07-28"}


def scripts(era: Era, tools: list[str]) -> dict[str, Script]:
    """The operations by name, in their order. `tools` is what the server has."""
    connected = {"server": "conformance-fixture", "version": _VERSIONS[era]}
    visible = [name for name in tools if name != DENIED_TOOL]
    # What follows a refusal shows that the session has survived it.
    simple = (_call("test_simple_text"), _result("This is a simple text response for testing."))
    wait = f"{_LIMITED_TOOL} is limited to 1 call an hour. Try again in 1 h 0 min."
    resource = {"text": "This is the content of the static text resource."}
    prompt = {"text": "This is a simple prompt for testing."}
    progress = {"progress": [0, 50, 100]}
    return {
        "connect": [({"do": "connection"}, connected)],
        "list": [({"do": "list_tools"}, {"tools": visible})],
        "allowed": [simple],
        "denied": [(_call(DENIED_TOOL), _refused("Nobody may.")), simple],
        "denied argument": [
            (_call(_JUDGED_TOOL, region="eu"), _result("The header and the argument agree.")),
            (_call(_JUDGED_TOOL, region="moon"), _refused("Not that far.")),
            simple,
        ],
        "throttled": [
            (_call(_LIMITED_TOOL), _result("Multiple content types test:")),
            (_call(_LIMITED_TOOL), _refused(wait)),
            simple,
        ],
        "resource": [({"do": "read_resource", "name": "test://static-text"}, resource)],
        "prompt": [({"do": "get_prompt", "name": "test_simple_prompt"}, prompt)],
        "progress": [
            ({"do": "call_with_progress", "name": SLOW_TOOL}, _result("Reported progress three times.") | progress)
        ],
        "cancel": [({"do": "cancel", "name": SLOW_TOOL}, {"cancelled": True}), simple],
        **_asking(era),
    }


def _asking(era: Era) -> dict[str, Script]:
    """The server asks: by requests of its own, or (2026-07-28) by a result that wants the call repeated."""
    paris = "type='text' text='Paris' annotations=None meta=None"
    if era is Era.MODERN:
        prefix = "test_input_required_result_"
        return {
            "elicitation": [(_call(f"{prefix}elicitation"), _result("Hello, Ada!"))],
            "sampling": [(_call(f"{prefix}sampling"), _result(f"The model says: {paris}"))],
        }
    entered = "{'username': 'Ada', 'email': 'Ada'}"
    return {
        "elicitation": [
            (_call("test_elicitation", message="Who?"), _result(f"User response: action=accept, content={entered}"))
        ],
        "sampling": [(_call("test_sampling", prompt="Which city?"), _result(f"LLM response: {paris}"))],
    }


def _call(name: str, **arguments: str) -> Step:
    return {"do": "call_tool", "name": name, "arguments": arguments}


def _result(text: str) -> dict[str, Any]:
    return {"is_error": False, "text": text}


def _refused(message: str) -> dict[str, Any]:
    return {"is_error": True, "text": f"[POLICY DENIED] {message}"}


NAMES: Final = tuple(scripts(Era.LEGACY, []))
"""The operations, the same in both eras."""
