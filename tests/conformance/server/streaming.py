"""Tools that use the stream of their answer: logging, progress, cutting it off, and announcing changed lists."""

import asyncio
from typing import Final

from mcp.server.subscriptions import PromptsListChanged, ServerEvent, SubscriptionBus, ToolsListChanged
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from tests.conformance.server.tool import Call, Context, FixtureTool, Result, Run, saying

# The suite asks for these pauses, so that the notifications do not arrive as one piece.
_PAUSE_S: Final = 0.05


async def _log(context: Context, _call: Call) -> Result:
    """Three log messages. The SDK leaves them out where a modern request has not asked for any."""
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message("info", text, related_request_id=context.request_id)
        await asyncio.sleep(_PAUSE_S)
    return saying("Logged three messages.")


async def _report_progress(context: Context, _call: Call) -> Result:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await asyncio.sleep(_PAUSE_S)
    return saying("Reported progress three times.")


async def _cut_stream(context: Context, _call: Call) -> Result:
    """Close the stream of the answer, which then reaches the client on the stream that it resumes with."""
    if context.close_sse_stream is not None:
        await context.close_sse_stream()
        await asyncio.sleep(_PAUSE_S)
    return saying("Answered after the stream was closed.")


def _announce(bus: SubscriptionBus, event: ServerEvent) -> Run:
    async def run(context: Context, _call: Call) -> Result:
        await bus.publish(event)
        if context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            match event:
                case ToolsListChanged():
                    await context.session.send_tool_list_changed()
                case PromptsListChanged():
                    await context.session.send_prompt_list_changed()
        return saying("Announced a changed list.")

    return run


def tools(bus: SubscriptionBus) -> tuple[FixtureTool, ...]:
    """The tools of this module; changes of lists are announced on `bus`."""
    return (
        FixtureTool("test_tool_with_logging", "Sends three log messages", _log),
        FixtureTool("test_logging_tool", "Sends three log messages, if the request asks for any", _log),
        FixtureTool("test_tool_with_progress", "Reports progress three times", _report_progress),
        FixtureTool("test_reconnection", "Closes its stream before it answers", _cut_stream),
        FixtureTool(
            "test_trigger_tool_change", "Announces a changed list of tools", _announce(bus, ToolsListChanged())
        ),
        FixtureTool(
            "test_trigger_prompt_change", "Announces a changed list of prompts", _announce(bus, PromptsListChanged())
        ),
    )
