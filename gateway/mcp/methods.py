"""Every method an agent may send, of every revision and of the tasks extension, and how each is governed.

A method that is not in this table is answered with -32601 and never forwarded.
"""

import enum
from typing import Final


class Governance(enum.Enum):
    """Which part of a policy a method is judged by."""

    PROTOCOL = enum.auto()
    """Handshake, liveness and bookkeeping: always forwarded."""
    TOOL_CALL = enum.auto()
    TOOL_LIST = enum.auto()
    RESOURCE_LIST = enum.auto()
    RESOURCE = enum.auto()
    PROMPT_LIST = enum.auto()
    PROMPT = enum.auto()
    COMPLETION = enum.auto()
    SUBSCRIPTION = enum.auto()
    """Names any number of resources."""
    TASK = enum.auto()


METHODS: Final[dict[str, Governance]] = {
    "initialize": Governance.PROTOCOL,
    "ping": Governance.PROTOCOL,
    "server/discover": Governance.PROTOCOL,
    "subscriptions/listen": Governance.SUBSCRIPTION,
    "logging/setLevel": Governance.PROTOCOL,
    "tools/call": Governance.TOOL_CALL,
    "tools/list": Governance.TOOL_LIST,
    "resources/list": Governance.RESOURCE_LIST,
    "resources/templates/list": Governance.RESOURCE_LIST,
    "resources/read": Governance.RESOURCE,
    "resources/subscribe": Governance.RESOURCE,
    "resources/unsubscribe": Governance.RESOURCE,
    "prompts/list": Governance.PROMPT_LIST,
    "prompts/get": Governance.PROMPT,
    "completion/complete": Governance.COMPLETION,
    "tasks/get": Governance.TASK,
    "tasks/result": Governance.TASK,
    "tasks/list": Governance.TASK,
    "tasks/cancel": Governance.TASK,
    "tasks/update": Governance.TASK,
}

# What 2026-07-28 dropped from tasks. A server of both eras might answer all the same, and unfiltered.
LEGACY_TASK_METHODS: Final = frozenset({"tasks/result", "tasks/list"})

# Reading twice does no harm, so these may be sent again when a connection broke before any answer.
REPEATABLE: Final = frozenset(
    {
        "ping",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "tasks/get",
        "tasks/list",
    }
)

# Answers that stay open, silent or not, for as long as the agent listens.
ENDLESS: Final = frozenset({"subscriptions/listen"})

# Notifications are always forwarded; the names are known only so that metrics can tell them apart.
NOTIFICATIONS: Final = (
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
)

# Where the thing that a method acts on is named, and so what `Mcp-Name` must equal
# (2026-07-28 transports, "Standard headers"; SEP-2663 for tasks).
TARGET_MEMBER: Final[dict[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "resources/subscribe": "uri",
    "resources/unsubscribe": "uri",
    "tasks/get": "taskId",
    "tasks/result": "taskId",
    "tasks/cancel": "taskId",
    "tasks/update": "taskId",
}

# The methods whose requests must carry `Mcp-Name` (same places): those that 2026-07-28 and its extension still have.
NAMED: Final = frozenset({"tools/call", "prompts/get", "resources/read", "tasks/get", "tasks/update", "tasks/cancel"})

# The member of a list result that holds the entries to filter.
LIST_MEMBERS: Final[dict[str, Governance]] = {
    "tools": Governance.TOOL_LIST,
    "resources": Governance.RESOURCE_LIST,
    "resourceTemplates": Governance.RESOURCE_LIST,
    "prompts": Governance.PROMPT_LIST,
}
