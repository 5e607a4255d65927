"""Sessions and what they keep."""

import pytest

from gateway.demo.desk import MAX_BINARIES, Workspace, Workspaces
from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, new_desk


def test_both_built_in_binaries_are_open_from_the_start():
    """A new session has something to look at."""
    assert list(Workspace().binaries) == [CRACKME, HTTPD]


def test_sessions_are_apart():
    """What is changed in one session is not changed in another, nor in the shared state."""
    workspaces = Workspaces()
    workspaces.of("a").binaries[CRACKME].rename("main", "entry")
    names = [workspaces.of(s).binaries[CRACKME].functions[2].name for s in ("a", "b", None)]
    assert names == ["entry", "main", "main"]


def test_the_session_not_used_for_longest_is_forgotten():
    """Memory is bounded by the number of sessions kept."""
    workspaces = Workspaces(most=2)
    a, b = workspaces.of("a"), workspaces.of("b")
    workspaces.of("a")
    workspaces.of("c")
    assert workspaces.of("a") is a
    assert workspaces.of("b") is not b


def test_a_session_may_have_only_so_many_binaries():
    """Opening one too many is refused; opening an open one is not."""
    workspace = Workspace()
    for i in range(MAX_BINARIES - 2):
        workspace.open(f"{i}.bin", f"/samples/{i}.bin")
    assert workspace.open("0.bin", "/samples/0.bin") is workspace.binaries["0.bin"]
    with pytest.raises(ToolError, match="10 binaries are open already"):
        workspace.open("more.bin", "/samples/more.bin")


def test_a_binary_that_is_not_open_is_named_with_those_that_are():
    """The error says which names would do."""
    with pytest.raises(ToolError, match=r"'x' is open; open are: crackme\.bin, httpd\.bin"):
        new_desk().binary("x")
