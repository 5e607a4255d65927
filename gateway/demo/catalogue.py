"""What the demo server publishes, word for word: tools with their schemas, resource templates, prompts.

Read once from `catalogue.json`, which holds what BinAssistMCP itself publishes. The server calls it.
"""

from importlib.resources import files
from typing import Any

import mcp_types
import msgspec


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    tools: list[dict[str, Any]]
    resource_templates: list[dict[str, Any]]
    prompts: list[dict[str, Any]]


_document = msgspec.json.decode(files("gateway.demo").joinpath("catalogue.json").read_bytes(), type=_Document)

TOOLS = {entry["name"]: mcp_types.Tool.model_validate(entry) for entry in _document.tools}
"""The 44 tools by name, in the order in which they are listed."""

RESOURCE_TEMPLATES = [mcp_types.ResourceTemplate.model_validate(entry) for entry in _document.resource_templates]
"""The 8 resource templates."""

PROMPTS = {entry["name"]: mcp_types.Prompt.model_validate(entry) for entry in _document.prompts}
"""The 7 prompts by name."""
