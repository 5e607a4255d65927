"""Resources give the data of the tools."""

import pytest

from gateway.demo import catalogue
from gateway.demo.model import ToolError
from gateway.demo.resources import read_resource
from tests.demo.desks import CRACKME, call, new_desk


@pytest.mark.parametrize("template", [template.uri_template for template in catalogue.RESOURCE_TEMPLATES])
def test_every_template_leads_to_something(template):
    """Each published template can be read for an open binary."""
    assert read_resource(new_desk(), template.replace("{filename}", CRACKME))


def test_a_resource_is_what_its_tool_answers():
    """The same data is readable by both doors."""
    desk = new_desk()
    assert read_resource(desk, "binassist://crackme.bin/imports") == call(desk, "get_imports", filename=CRACKME)


def test_a_file_name_may_be_escaped():
    """Percent escapes in the URI are undone."""
    assert read_resource(new_desk(), "binja://crackme%2Ebin/info")["name"] == CRACKME


@pytest.mark.parametrize(
    "uri", ["binja://crackme.bin/functions", "file://crackme.bin/info", "binja://crackme.bin", "x"]
)
def test_what_no_template_covers_is_unknown(uri):
    """Scheme and leaf must both fit a template."""
    with pytest.raises(ToolError, match="Unknown resource"):
        read_resource(new_desk(), uri)


def test_a_binary_that_is_not_open_is_an_error():
    """The file name is checked like a tool's."""
    with pytest.raises(ToolError, match=r"no binary 'x\.bin' is open"):
        read_resource(new_desk(), "binja://x.bin/info")
