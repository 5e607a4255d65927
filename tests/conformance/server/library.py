"""The resources and prompts of the fixture server."""

import json
import re
from typing import Final

import mcp_types
from mcp.shared.exceptions import MCPError

from tests.conformance.server import rounds
from tests.conformance.server.contents import IMAGE, PNG, embedded

_TEXT: Final = "test://static-text"
_BINARY: Final = "test://static-binary"
_WATCHED: Final = "test://watched-resource"
_FROM_TEMPLATE: Final = re.compile(r"test://template/(?P<id>[^/]+)/data")

RESOURCES: Final = [
    mcp_types.Resource(uri=_TEXT, name="static-text", description="A fixed text", mime_type="text/plain"),
    mcp_types.Resource(uri=_BINARY, name="static-binary", description="A fixed image", mime_type="image/png"),
    mcp_types.Resource(uri=_WATCHED, name="watched-resource", description="To subscribe to", mime_type="text/plain"),
]
TEMPLATES: Final = [
    mcp_types.ResourceTemplate(
        uri_template="test://template/{id}/data",
        name="template",
        description="Data that repeats the id in its address",
        mime_type="application/json",
    ),
]


def read_resource(uri: str) -> mcp_types.ReadResourceResult:
    """The one content of a resource. Raises `MCPError` (-32602, SEP-2164) for one that does not exist."""
    found = _FROM_TEMPLATE.fullmatch(uri)
    if found:
        data = {"id": found["id"], "templateTest": True, "data": f"Data for ID: {found['id']}"}
        return _text_contents(uri, "application/json", json.dumps(data))
    match uri:
        case "test://static-text":
            return _text_contents(uri, "text/plain", "This is the content of the static text resource.")
        case "test://watched-resource":
            return _text_contents(uri, "text/plain", "This resource can be watched.")
        case "test://static-binary":
            blob = mcp_types.BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
            return mcp_types.ReadResourceResult(contents=[blob])
        case _:
            raise MCPError(mcp_types.INVALID_PARAMS, "Resource not found", {"uri": uri})


def _text_contents(uri: str, mime_type: str, text: str) -> mcp_types.ReadResourceResult:
    contents = mcp_types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return mcp_types.ReadResourceResult(contents=[contents])


def _argument(name: str) -> mcp_types.PromptArgument:
    return mcp_types.PromptArgument(name=name, description=f"The argument {name}", required=True)


PROMPTS: Final = [
    mcp_types.Prompt(name="test_simple_prompt", description="One text"),
    mcp_types.Prompt(
        name="test_prompt_with_arguments",
        description="A text that repeats its arguments",
        arguments=[_argument("arg1"), _argument("arg2")],
    ),
    mcp_types.Prompt(
        name="test_prompt_with_embedded_resource",
        description="A resource and a text",
        arguments=[_argument("resourceUri")],
    ),
    mcp_types.Prompt(name="test_prompt_with_image", description="An image and a text"),
    mcp_types.Prompt(name="test_input_required_result_prompt", description="Asks for its context first"),
]

PromptResult = mcp_types.GetPromptResult | mcp_types.InputRequiredResult


def get_prompt(get: mcp_types.GetPromptRequestParams) -> PromptResult:
    """The messages of a prompt. Raises `MCPError` (-32602) for one that does not exist or lacks an argument."""
    arguments = get.arguments or {}
    try:
        match get.name:
            case "test_simple_prompt":
                return _prompt("This is a simple prompt for testing.")
            case "test_prompt_with_arguments":
                return _prompt(f"Prompt with arguments: arg1='{arguments['arg1']}', arg2='{arguments['arg2']}'")
            case "test_prompt_with_embedded_resource":
                text = "Embedded resource content for testing."
                resource = embedded(arguments["resourceUri"], "text/plain", text)
                return _prompt(resource, "Please process the embedded resource above.")
            case "test_prompt_with_image":
                return _prompt(IMAGE, "Please analyze the image above.")
            case "test_input_required_result_prompt":
                return rounds.write_prompt(get)
            case _:
                raise MCPError(mcp_types.INVALID_PARAMS, f"Unknown prompt: {get.name}")
    except KeyError as error:
        raise MCPError(mcp_types.INVALID_PARAMS, f"Missing argument: {error}") from None


def _prompt(*contents: mcp_types.ContentBlock | str) -> mcp_types.GetPromptResult:
    blocks = [mcp_types.TextContent(text=content) if isinstance(content, str) else content for content in contents]
    return mcp_types.GetPromptResult(messages=[mcp_types.PromptMessage(role="user", content=block) for block in blocks])
