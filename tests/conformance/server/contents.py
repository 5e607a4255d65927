"""Tools that answer at once: every kind of content, an error, and two input schemas that must arrive unharmed."""

import base64
import struct
import zlib
from typing import Any, Final

import mcp_types

from tests.conformance.server.tool import FixtureTool, always, one_string


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _red_pixel() -> bytes:
    """A PNG of one red pixel: one RGB sample of 8 bits, preceded by its row's filter."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    row = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", row) + _png_chunk(b"IEND", b"")


def _silence() -> bytes:
    """A WAV file of one silent sample: mono, 8 kHz, 8 bits."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + b"data" + struct.pack("<I", 1) + b"\x80"
    return b"RIFF" + struct.pack("<I", len(body)) + body


PNG: Final = base64.b64encode(_red_pixel()).decode()
_WAV: Final = base64.b64encode(_silence()).decode()

IMAGE: Final = mcp_types.ImageContent(data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, text: str) -> mcp_types.EmbeddedResource:
    """A text resource inside a message."""
    resource = mcp_types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return mcp_types.EmbeddedResource(resource=resource)


# Every keyword the suite looks for in the list, to see that none is lost on the way.
_SCHEMA_2020_12: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        },
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TOOLS: Final = (
    FixtureTool(
        "test_simple_text",
        "Returns one text",
        always(mcp_types.TextContent(text="This is a simple text response for testing.")),
    ),
    FixtureTool("test_image_content", "Returns an image", always(IMAGE)),
    FixtureTool(
        "test_audio_content",
        "Returns audio",
        always(mcp_types.AudioContent(data=_WAV, mime_type="audio/wav")),
    ),
    FixtureTool(
        "test_embedded_resource",
        "Returns an embedded resource",
        always(embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    FixtureTool(
        "test_multiple_content_types",
        "Returns a text, an image and a resource",
        always(
            mcp_types.TextContent(text="Multiple content types test:"),
            IMAGE,
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ),
    ),
    FixtureTool(
        "test_error_handling",
        "Always fails",
        always(
            mcp_types.TextContent(text="This tool intentionally returns an error for testing"),
            is_error=True,
        ),
    ),
    FixtureTool(
        "test_x_mcp_header",
        "Has an argument that clients repeat in the header Mcp-Param-Region",
        always(mcp_types.TextContent(text="The header and the argument agree.")),
        one_string("region", **{"x-mcp-header": "Region"}),
    ),
    FixtureTool(
        "json_schema_2020_12_tool",
        "Has an input schema with keywords of JSON Schema 2020-12",
        always(mcp_types.TextContent(text="The schema is what matters.")),
        _SCHEMA_2020_12,
    ),
)
