"""What every client library is put through, whatever its own way of doing it. Runs in the clients' environments."""

import json
from collections.abc import Awaitable, Callable

ListTools = Callable[[], Awaitable[list[str]]]
CallTool = Callable[[str, dict[str, object]], Awaitable[tuple[bool, str]]]


async def run(list_tools: ListTools, call_tool: CallTool) -> None:
    """List, call `cancel_task` twelve times, call another tool, and list again; print what the agent saw as JSON.

    `call_tool` gives whether the result is an error, and its text.
    """
    seen = {
        "tools": await list_tools(),
        "calls": [await call_tool("cancel_task", {"task_id": "none"}) for _ in range(12)],
        "other": await call_tool("list_binaries", {}),
        "tools_after": await list_tools(),
    }
    print(json.dumps(seen))
