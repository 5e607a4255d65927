"""Tools and a prompt that ask the client by ending the call, to be called again with the answers (2026-07-28).

A server of that revision sends no requests; the state of the rounds travels with the client. The SDK seals it,
so that what arrives here is what was sent.
"""

from typing import Any, Final

import mcp_types
from mcp.shared.exceptions import MCPError

from tests.conformance.server.asking import sampling
from tests.conformance.server.tool import Call, Context, FixtureTool, Result, saying

_STATE: Final = "asked"
_ROOTS: Final = mcp_types.ListRootsRequest()
_SAMPLING: Final = mcp_types.ClientCapabilities(sampling=mcp_types.SamplingCapability())
_ELICITATION: Final = mcp_types.ClientCapabilities(elicitation=mcp_types.ElicitationCapability())

_Answered = mcp_types.CallToolRequestParams | mcp_types.GetPromptRequestParams


def _form(message: str, member: str, kind: str = "string") -> mcp_types.ElicitRequest:
    """A form with one required field."""
    schema: dict[str, Any] = {"type": "object", "properties": {member: {"type": kind}}, "required": [member]}
    return mcp_types.ElicitRequest(params=mcp_types.ElicitRequestFormParams(message=message, requested_schema=schema))


def _asking(state: str | None = None, /, **requests: mcp_types.InputRequest) -> mcp_types.InputRequiredResult:
    return mcp_types.InputRequiredResult(input_requests=requests, request_state=state)


def _answer(call: _Answered, key: str) -> mcp_types.InputResponse | None:
    return (call.input_responses or {}).get(key)


def _filled_in(call: _Answered, key: str, member: str) -> object:
    """What the user entered in the form that was asked for as `key`; None where nothing was."""
    answer = _answer(call, key)
    if isinstance(answer, mcp_types.ElicitResult) and answer.action == "accept":
        return (answer.content or {}).get(member)
    return None


async def _ask_name(_context: Context, call: Call) -> Result:
    name = _filled_in(call, "user_name", "name")
    return _asking(user_name=_form("What is your name?", "name")) if name is None else saying(f"Hello, {name}!")


async def _ask_model(_context: Context, call: Call) -> Result:
    answer = _answer(call, "capital_question")
    if isinstance(answer, mcp_types.CreateMessageResult):
        return saying(f"The model says: {answer.content}")
    return _asking(capital_question=sampling("What is the capital of France?", 100))


async def _ask_roots(_context: Context, call: Call) -> Result:
    answer = _answer(call, "client_roots")
    if isinstance(answer, mcp_types.ListRootsResult):
        return saying(f"Roots: {', '.join(str(root.uri) for root in answer.roots)}")
    return _asking(client_roots=_ROOTS)


async def _ask_with_state(_context: Context, call: Call) -> Result:
    if call.request_state == _STATE and _filled_in(call, "confirm", "ok") is not None:
        return saying("state-ok")
    return _asking(_STATE, confirm=_form("Please confirm", "ok", "boolean"))


async def _ask_everything(_context: Context, call: Call) -> Result:
    requests: dict[str, mcp_types.InputRequest] = {
        "user_name": _form("What is your name?", "name"),
        "greeting": sampling("Generate a greeting", 50),
        "client_roots": _ROOTS,
    }
    if call.request_state == _STATE and requests.keys() <= (call.input_responses or {}).keys():
        return saying("All three answers arrived.")
    return _asking(_STATE, **requests)


async def _ask_twice(_context: Context, call: Call) -> Result:
    name, color = _filled_in(call, "step1", "name"), _filled_in(call, "step2", "color")
    if call.request_state is not None and color is not None:
        return saying(f"{call.request_state} likes {color}.")
    if call.request_state is not None and name is not None:
        return _asking(str(name), step2=_form("Step 2: What is your favorite color?", "color"))
    return _asking(_STATE, step1=_form("Step 1: What is your name?", "name"))


async def _ask_what_is_declared(context: Context, _call: Call) -> Result:
    requests: dict[str, mcp_types.InputRequest] = {}
    if context.session.check_client_capability(_SAMPLING):
        requests["greeting"] = sampling("Generate a greeting", 50)
    if context.session.check_client_capability(_ELICITATION):
        requests["user_name"] = _form("What is your name?", "name")
    return _asking(_STATE, **requests)


async def _need_sampling(context: Context, _call: Call) -> Result:
    if not context.session.check_client_capability(_SAMPLING):
        data = {"requiredCapabilities": _SAMPLING.model_dump(by_alias=True, exclude_none=True)}
        raise MCPError(mcp_types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This tool needs sampling", data)
    return saying("The client has declared sampling.")


def write_prompt(get: mcp_types.GetPromptRequestParams) -> mcp_types.GetPromptResult | mcp_types.InputRequiredResult:
    """The prompt that asks for its context first."""
    context = _filled_in(get, "user_context", "context")
    if context is None:
        return _asking(user_context=_form("What context should the prompt use?", "context"))
    content = mcp_types.TextContent(text=f"The context is: {context}")
    return mcp_types.GetPromptResult(messages=[mcp_types.PromptMessage(role="user", content=content)])


_PREFIX: Final = "test_input_required_result_"

TOOLS: Final = (
    FixtureTool(f"{_PREFIX}elicitation", "Asks for a name", _ask_name),
    FixtureTool(f"{_PREFIX}sampling", "Asks the client's model", _ask_model),
    FixtureTool(f"{_PREFIX}list_roots", "Asks for the client's roots", _ask_roots),
    FixtureTool(f"{_PREFIX}request_state", "Asks, and checks its own state", _ask_with_state),
    FixtureTool(f"{_PREFIX}multiple_inputs", "Asks for three things at once", _ask_everything),
    FixtureTool(f"{_PREFIX}multi_round", "Asks twice in a row", _ask_twice),
    FixtureTool(f"{_PREFIX}tampered_state", "Asks, and refuses a state that was changed", _ask_with_state),
    FixtureTool(f"{_PREFIX}capabilities", "Asks only for what the client has declared", _ask_what_is_declared),
    FixtureTool("test_streaming_elicitation", "Asks for a name", _ask_name),
    FixtureTool("test_missing_capability", "Needs a client that can sample", _need_sampling),
)
