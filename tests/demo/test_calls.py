"""The shape of results."""

import json

from gateway.demo.calls import as_text, call_tool
from tests.demo.desks import CRACKME, new_desk
from tests.demo.running import texts


def test_text_with_an_output_schema_is_given_twice():
    """A tool that publishes an output schema answers text and the same as structured content."""
    result = call_tool(new_desk(), "bookmarks", {"filename": CRACKME, "action": "list"})
    assert (texts(result)[0], result.structured_content) == ("No bookmarks", {"result": "No bookmarks"})


def test_text_without_an_output_schema_is_given_once():
    """A tool without an output schema answers plain text and nothing structured."""
    arguments = {"filename": CRACKME, "action": "set", "address": "main", "text": "x"}
    result = call_tool(new_desk(), "comments", arguments)
    assert texts(result) == ["Comment set at 0x402050"]
    assert result.structured_content is None


def test_an_object_is_indented_json():
    """What is no text is shown as JSON with two spaces."""
    assert as_text({"a": [1]}) == '{\n  "a": [\n    1\n  ]\n}'


def test_a_list_has_one_block_for_each_element():
    """Each element of a list is a document of its own."""
    result = call_tool(new_desk(), "get_exports", {"filename": CRACKME})
    assert [json.loads(text)["name"] for text in texts(result)] == [
        "_start",
        "main",
        "check_serial",
        "license_level",
    ]


def test_a_failure_names_the_tool():
    """A failed call says which tool failed and why."""
    result = call_tool(new_desk(), "get_functions", {"filename": "none"})
    assert result.is_error
    expected = "Error executing tool get_functions: no binary 'none' is open; open are: crackme.bin, httpd.bin"
    assert texts(result)[0] == expected


def test_an_unknown_tool_is_a_failure():
    """A name that is not published runs nothing."""
    result = call_tool(new_desk(), "list_Binaries", {})
    assert (result.is_error, texts(result)[0]) == (True, "Unknown tool: list_Binaries")
