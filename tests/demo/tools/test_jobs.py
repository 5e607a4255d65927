"""Tools on background tasks."""

import pytest

from tests.demo.desks import call, new_desk


@pytest.fixture
async def desk():
    """A desk whose task board is running."""
    desk = new_desk()
    async with desk.tasks.running():
        yield desk


async def test_a_task_is_started_seen_and_cancelled(desk):
    """The four tools speak of the same task."""
    started = call(desk, "start_task", name="scan", tool_name="get_strings")
    task_id = started["task_id"]
    assert started["status"] == "pending"
    assert [row["id"] for row in call(desk, "list_tasks")] == [task_id]
    assert call(desk, "cancel_task", task_id=task_id)["cancelled"] is True
    assert call(desk, "get_task_status", task_id=task_id)["status"] == "cancelled"
    assert call(desk, "list_tasks", status="pending") == []


async def test_an_unknown_task_is_no_error(desk):
    """Status and cancellation answer in words, as the real tools do."""
    assert call(desk, "get_task_status", task_id="none") == {
        "id": "none",
        "error": "Task not found",
        "status": "unknown",
    }
    assert call(desk, "cancel_task", task_id="none")["cancelled"] is False
