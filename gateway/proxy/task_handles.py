"""Whose task is whose: a task is usable only by the grant that was given its id in an answer.

Servers keep tasks for everybody, and an id may be guessed; the protocol binds a task to who made it (2025-11-25
tasks, "Security"; SEP-2663). What a restart forgets can no longer be used through the gateway.
"""

import collections
from collections.abc import Callable
from typing import Any, Final

from gateway.mcp.message import Request
from gateway.proxy.answer_filter import AnswerFilter, UnreadableAnswerError

MAX_TASKS: Final = 10_000
_EXTENSION: Final = "io.modelcontextprotocol/tasks"
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"


class TaskHandles:
    """The grant of each task, the latest `MAX_TASKS` of them."""

    def __init__(self) -> None:
        self._grants: collections.OrderedDict[tuple[str, str], str] = collections.OrderedDict()

    def learn(self, server: str, grant: str, task_id: str) -> None:
        """`grant` was given this id by `server`. The first to be given it keeps it."""
        self._grants.setdefault((server, task_id), grant)
        while len(self._grants) > MAX_TASKS:
            self._grants.popitem(last=False)

    def owns(self, server: str, grant: str, task_id: str) -> bool:
        """Whether `grant` was given this id."""
        return self._grants.get((server, task_id)) == grant

    def filter(self, server: str, grant: str) -> AnswerFilter:
        """Notes the tasks in answers to `grant`, and leaves only its own in lists."""
        return _TaskFilter(
            lambda task_id: self.learn(server, grant, task_id), lambda task_id: self.owns(server, grant, task_id)
        )


def may_become_task(request: Request) -> bool:
    """Whether a call's answer may be a task: the agent asked for one, or said that it takes them."""
    capabilities = request.params.get("_meta", {}).get(_CAPABILITIES)
    extensions = capabilities.get("extensions") if isinstance(capabilities, dict) else None
    return "task" in request.params or (isinstance(extensions, dict) and _EXTENSION in extensions)


class _TaskFilter(AnswerFilter):
    def __init__(self, learn: Callable[[str], None], owns: Callable[[str], bool]) -> None:
        self._learn = learn
        self._owns = owns

    def _filter(self, message: dict[str, Any]) -> bool:
        result = message.get("result")
        if not isinstance(result, dict):
            return False
        if "tasks" in result:
            if not isinstance(result["tasks"], list):
                raise UnreadableAnswerError("The server sent a list that is no array.")
            result["tasks"] = [task for task in result["tasks"] if self._owns(_id_of(task))]
            return True
        # 2025-11-25 wraps the task; the extension of 2026-07-28 marks the result instead.
        for task in (result.get("task"), result if result.get("resultType") == "task" else None):
            if task_id := _id_of(task):
                self._learn(task_id)
        return False


def _id_of(task: object) -> str:
    task_id = task.get("taskId") if isinstance(task, dict) else None
    return task_id if isinstance(task_id, str) else ""
