"""The fixture server offers what the suite calls; whether it answers rightly is for the suite to say."""

import mcp_types
import pytest
from mcp import Client

from tests.conformance.server.app import build_app, build_server

# Every tool that a server scenario of the suite calls by its name.
CALLED = {
    "json_schema_2020_12_tool",
    "test_audio_content",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_embedded_resource",
    "test_error_handling",
    "test_image_content",
    "test_input_required_result_capabilities",
    "test_input_required_result_elicitation",
    "test_input_required_result_list_roots",
    "test_input_required_result_multi_round",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_request_state",
    "test_input_required_result_sampling",
    "test_input_required_result_tampered_state",
    "test_logging_tool",
    "test_missing_capability",
    "test_multiple_content_types",
    "test_reconnection",
    "test_sampling",
    "test_simple_text",
    "test_streaming_elicitation",
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_trigger_prompt_change",
    "test_trigger_tool_change",
    "test_x_mcp_header",
}


each_era = pytest.mark.parametrize("mode", ["auto", "legacy"])


@each_era
async def test_every_tool_that_the_suite_calls_is_listed(mode):
    """An unlisted tool would make a scenario pass without having tried anything."""
    async with Client(build_server(), mode=mode) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == CALLED


@each_era
async def test_the_first_tool_needs_no_arguments(mode):
    """Scenarios that need just any tool call the first one, with no arguments, and expect a result."""
    async with Client(build_server(), mode=mode) as client:
        first = (await client.list_tools()).tools[0]
        assert not (await client.call_tool(first.name, {})).is_error


@each_era
async def test_a_resource_is_made_from_its_template(mode):
    """The id in the address is the id in the data."""
    async with Client(build_server(), mode=mode) as client:
        contents = (await client.read_resource("test://template/123/data")).contents[0]
    assert isinstance(contents, mcp_types.TextResourceContents)
    assert '"id": "123"' in contents.text


def test_the_app_serves_mcp_alone():
    """At the path that the suite is sent to."""
    assert [getattr(route, "path", None) for route in build_app().routes] == ["/mcp"]
