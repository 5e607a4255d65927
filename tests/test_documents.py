"""Documents: formats, places, and mistakes in the order of the text."""

import pytest

from gateway.documents import MAX_CHARACTERS, Carried, format_of, read_document
from gateway.errors import DocumentError

YAML = """\
names: [a, 2]
servers:
  one/1:
    urll: http://x
  two~2: {url: http://y, port: "3"}
"""


def problems(call, *args):
    """The problems of the DocumentError that the call must raise, as a person sees them."""
    with pytest.raises(DocumentError) as refused:
        call(*args)
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.json", "json"), ("x/a.YAML", "yaml"), ("a.b.yml", "yaml"), ("a.toml", "toml")],
)
def test_the_suffix_says_the_format(name, format):
    """The format is known from the name alone."""
    assert format_of(name) == format


@pytest.mark.parametrize("name", ["a", "a.txt", "json", ".json"])
def test_another_suffix_is_refused(name):
    """A name that says no format is refused with those that do."""
    assert problems(format_of, name) == [f"{name}: the name must end in .json, .yaml, .yml, .toml"]


@pytest.mark.parametrize(
    ("text", "format"),
    [('{"a": [1, "x"]}', "json"), ("a:\n- 1\n- x\n", "yaml"), ('a = [1, "x"]', "toml")],
)
def test_every_format_gives_the_same_data(text, format):
    """One document, written in three ways, is one value."""
    assert read_document(text, "f", format).value == {"a": [1, "x"]}


@pytest.mark.parametrize(
    ("text", "format", "problem"),
    [
        ("", "json", "f: the document is empty"),
        (" \n", "yaml", "f: the document is empty"),
        ("# only a comment\n", "yaml", "f: the document is empty"),
        ("---\n", "yaml", "f: the document is empty"),
        ("# only a comment\n", "toml", "f: the document is empty"),
        ("\ufeff{}", "json", "f:1:1: begins with a byte order mark; save the file as UTF-8 without it"),
        ('{"a": 1,\n "a": 2}', "json", "f:2:2: /a: this field is written twice; keep one of them"),
        ("a:\r\n  b: 1\r\n  b: 2\r\n", "yaml", "f:3:3: /a/b: this field is written twice; keep one of them"),
        (
            "a = inf",
            "toml",
            "f: /a: infinity and nan are not numbers a document can use; write a decimal number",
        ),
        ("x" * (MAX_CHARACTERS + 1), "json", "f: larger than 4194304 characters; split the document"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, format, problem):
    """A document that is not strict, or holds nothing, is refused where it goes wrong."""
    assert problems(read_document, text, "f", format) == [problem]


def test_places():
    """A place is file, line, column and JSON pointer; what is missing has the line of what is around it."""
    document = read_document(YAML, "f.yaml", "yaml")
    assert document.place() == "f.yaml:1:1"
    assert document.place(("names", 1)) == "f.yaml:1:12: /names/1"
    assert document.place(("servers", "one/1", "urll")) == "f.yaml:4:5: /servers/one~11/urll"
    assert document.place(("servers", "two~2", "absent", 0)) == "f.yaml:5:3: /servers/two~02/absent/0"
    assert document.place(("absent",)) == "f.yaml:1:1: /absent"


def test_a_part_keeps_its_places():
    """The places in a part of a document count from the root of the text."""
    part = read_document(YAML, "f.yaml", "yaml").at("servers", "one/1")
    assert part.value == {"urll": "http://x"}
    assert part.place() == "f.yaml:3:3: /servers/one~11"
    assert part.place(("urll",)) == part.at("urll").place() == "f.yaml:4:5: /servers/one~11/urll"


def test_toml_has_pointers_only():
    """TOML tells no lines, so a place is the file and the pointer."""
    document = read_document("[a]\nb = 1", "f.toml", "toml")
    assert (document.place(), document.place(("a", "b"))) == ("f.toml", "f.toml: /a/b")


def test_parts_come_in_the_order_of_the_text():
    """Every part is there with its path, the whole before what it holds."""
    parts = read_document('{"b": [1, {"c": null}], "a": {}}', "f", "json").parts()
    assert list(parts.items()) == [
        ((), {"b": [1, {"c": None}], "a": {}}),
        (("b",), [1, {"c": None}]),
        (("b", 0), 1),
        (("b", 1), {"c": None}),
        (("b", 1, "c"), None),
        (("a",), {}),
    ]


FAULTS = [(("servers", "two~2", "port"), "too high"), (("servers", "one/1"), "no"), ((), "old"), (("names", 1), "2")]


def test_problems_come_in_the_order_of_the_text():
    """Whatever found them in whatever order, mistakes are told from top to bottom."""
    assert list(map(str, read_document(YAML, "f.yaml", "yaml").problems(FAULTS))) == [
        "f.yaml:1:1: old",
        "f.yaml:1:12: /names/1: 2",
        "f.yaml:3:3: /servers/one~11: no",
        "f.yaml:5:26: /servers/two~02/port: too high",
    ]


def test_a_part_has_problems_with_places_of_the_whole():
    """Mistakes in a part of a document are placed in the whole text."""
    part = read_document(YAML, "f.yaml", "yaml").at("servers", "two~2")
    assert list(map(str, part.problems([(("port",), "no")]))) == ["f.yaml:5:26: /servers/two~02/port: no"]


def test_another_form_of_a_document_keeps_the_places_of_the_first():
    """What was carried points to where it was written, what was made with it to the same, and a form of a form too."""
    document = read_document(YAML, "f.yaml", "yaml")
    port = Carried(3, ("servers", "two~2", "port"))
    form = document.rewritten(Carried({"ports": [port, {"odd": True}], "n": Carried({"x": 1}, ("names",))}, ()))
    assert form.value == {"ports": [3, {"odd": True}], "n": {"x": 1}}
    assert form.place(("ports", 0)) == "f.yaml:5:26: /servers/two~02/port"
    assert form.place(("n", "x")) == "f.yaml:1:1: /names/x"
    assert form.place(("ports", 1)) == "f.yaml:1:1: /ports/1"
    assert form.origin(("n",)) == ("names",)
    again = form.rewritten(Carried({"first": Carried(3, ("ports", 0))}, ()))
    assert again.place(("first",)) == form.place(("ports", 0))
    assert [problem.place for problem in again.problems([(("first",), "b"), ((), "a")])] == [
        "f.yaml:1:1",
        "f.yaml:5:26: /servers/two~02/port",
    ]


def test_a_document_as_it_was_read_is_its_own_origin():
    """Paths of a document that was not rewritten are those of its text, a part's counted from the part."""
    part = read_document(YAML, "f.yaml", "yaml").at("servers")
    assert part.origin(("one/1", "urll")) == ("one/1", "urll")
    form = part.rewritten(Carried({"one": Carried(1, ("one/1",))}, ()))
    assert form.place(("one",)) == part.place(("one/1",)) == "f.yaml:3:3: /servers/one~11"
