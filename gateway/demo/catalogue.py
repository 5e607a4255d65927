"""What the demo server publishes, word for word: tools with their schemas, resource templates, prompts.

The facts are the catalogue's own; here they are made ready to be sent. The server calls it.
"""

import mcp_types

from gateway.catalog import binassist

TOOLS = {entry["name"]: mcp_types.Tool.model_validate(entry) for entry in binassist.TOOLS}
"""The 44 tools by name, in the order in which they are listed."""

RESOURCE_TEMPLATES = [mcp_types.ResourceTemplate.model_validate(entry) for entry in binassist.RESOURCE_TEMPLATES]
"""The 8 resource templates."""

PROMPTS = {entry["name"]: mcp_types.Prompt.model_validate(entry) for entry in binassist.PROMPTS}
"""The 7 prompts by name."""
