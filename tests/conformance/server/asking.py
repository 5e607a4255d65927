"""Tools that ask the client in the middle of a call, by requests of the server's own (2025-11-25 and before)."""

from typing import Any, Final

import mcp_types
from mcp.shared.message import ServerMessageMetadata

from tests.conformance.server.tool import Call, Context, FixtureTool, Result, Run, one_string, saying

_CONTACT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
# One property of each primitive type, each with a default (SEP-1034).
_DEFAULTS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
_CHOICES: Final = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
_OPTIONS: Final = ["option1", "option2", "option3"]
# Each of the five ways to write a choice (SEP-1330).
_ENUMS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _OPTIONS},
        "titledSingle": {"type": "string", "oneOf": _CHOICES},
        "legacyEnum": {"type": "string", "enum": _OPTIONS, "enumNames": ["Option 1", "Option 2", "Option 3"]},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
        "titledMulti": {"type": "array", "items": {"anyOf": _CHOICES}},
    },
}


def sampling(prompt: str, max_tokens: int) -> mcp_types.CreateMessageRequest:
    """The request to let the client's model answer `prompt`."""
    message = mcp_types.SamplingMessage(role="user", content=mcp_types.TextContent(text=prompt))
    return mcp_types.CreateMessageRequest(
        params=mcp_types.CreateMessageRequestParams(messages=[message], max_tokens=max_tokens)
    )


async def _sample(context: Context, call: Call) -> Result:
    answer = await context.session.send_request(
        sampling((call.arguments or {})["prompt"], 100),
        mcp_types.CreateMessageResult,
        metadata=ServerMessageMetadata(related_request_id=context.request_id),
    )
    return saying(f"LLM response: {answer.content}")


async def _elicit(context: Context, call: Call) -> Result:
    answer = await context.session.elicit_form((call.arguments or {})["message"], _CONTACT, context.request_id)
    return saying(f"User response: action={answer.action}, content={answer.content}")


def _elicit_with(schema: dict[str, Any]) -> Run:
    async def run(context: Context, _call: Call) -> Result:
        answer = await context.session.elicit_form("Please fill in the form", schema, context.request_id)
        return saying(f"Elicitation completed: action={answer.action}, content={answer.content}")

    return run


TOOLS: Final = (
    FixtureTool("test_sampling", "Asks the client's model", _sample, one_string("prompt")),
    FixtureTool("test_elicitation", "Asks the user", _elicit, one_string("message")),
    FixtureTool("test_elicitation_sep1034_defaults", "Asks the user, with defaults", _elicit_with(_DEFAULTS)),
    FixtureTool("test_elicitation_sep1330_enums", "Asks the user to choose, in five ways", _elicit_with(_ENUMS)),
)
