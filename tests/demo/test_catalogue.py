"""The catalogue is complete and can be published."""

from gateway.demo import calls, catalogue


def test_the_numbers_are_those_of_the_real_server():
    """44 tools, 8 resource templates, 7 prompts."""
    numbers = (len(catalogue.TOOLS), len(catalogue.RESOURCE_TEMPLATES), len(catalogue.PROMPTS))
    assert numbers == (44, 8, 7)


def test_nothing_of_an_entry_is_lost_in_reading(catalogue_document):
    """The values published are those in the file, null hints apart."""
    for entry in catalogue_document["tools"]:
        tool = catalogue.TOOLS[entry["name"]]
        assert tool.input_schema == entry["inputSchema"]
        assert tool.output_schema == entry.get("outputSchema")
        assert tool.annotations is not None
        assert tool.annotations.model_dump(by_alias=True, exclude={"title"}) == entry["annotations"]


def test_every_published_tool_has_its_function():
    """No tool is promised that can't be called, and none is there that isn't promised."""
    assert set(calls.FUNCTIONS) == set(catalogue.TOOLS)
