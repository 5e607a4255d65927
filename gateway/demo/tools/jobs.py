"""Tools on background tasks. They see every session's tasks, as BinAssistMCP's do."""

import msgspec

from gateway.demo.desk import Desk


def start_task(desk: Desk, name: str, tool_name: str) -> dict[str, object]:
    """Start a background task. The tool it names is kept in its record and never run."""
    record = desk.tasks.start(name, tool_name)
    return {"task_id": record.id, "name": name, "tool_name": tool_name, "status": record.status}


def get_task_status(desk: Desk, task_id: str) -> dict[str, object]:
    """State, progress and result of one task. An unknown one is no error."""
    record = desk.tasks.find(task_id)
    if record is None:
        return {"id": task_id, "error": "Task not found", "status": "unknown"}
    return msgspec.structs.asdict(record)


def cancel_task(desk: Desk, task_id: str) -> dict[str, object]:
    """Cancel a task. One that has ended, or never was, is no error."""
    cancelled = desk.tasks.cancel(task_id)
    message = "Task cancelled" if cancelled else "Task not found or no longer running"
    return {"task_id": task_id, "cancelled": cancelled, "message": message}


def list_tasks(desk: Desk, status: str) -> list[dict[str, object]]:
    """All tasks, or those of one status."""
    return [msgspec.structs.asdict(record) for record in desk.tasks.records(status)]


TOOLS = {tool.__name__: tool for tool in (start_task, get_task_status, cancel_task, list_tasks)}
