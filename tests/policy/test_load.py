"""From a document to a policy: nothing wrong with it stays unsaid."""

from pathlib import Path

import pytest

from gateway.documents import read_document
from gateway.errors import DocumentError
from gateway.policy.load import load_policy
from gateway.policy.tables import compile_policy
from tests.support.policies import document

EXAMPLES = sorted((Path(__file__).parents[2] / "gateway" / "catalog" / "policies").glob("*.json"))


def problems(text: str) -> list[tuple[str, str]]:
    """The place and the message of every problem of a YAML policy."""
    with pytest.raises(DocumentError) as caught:
        load_policy(read_document(text, "p.yaml", "yaml"))
    return [(problem.place, problem.message) for problem in caught.value.problems]


def test_mistakes_of_every_kind_are_reported_together():
    """Shape, words, values, bounds and conflicts in the order of the text, each with what would mend it."""
    assert problems("""\
version: "2"
default: deny
tols: {}
tools:
  a:
    approve_if: [{conditions: [{path: z, op: exists, value: true}]}]
    limits: [{counter: c, window: minut, max: 0}]
    deny_if:
      - conditions: [{path: y, op: notin, value: [1]}, {path: x, op: gt, value: "1"}]
""") == [
        ("p.yaml:1:1: /version", "unknown value; known here: 1"),
        ("p.yaml:3:1: /tols", "unknown field; did you mean `tools`?"),
        (
            "p.yaml:6:33: /tools/a/approve_if/0/conditions/0/path",
            "the path `z` must start with `args.`, as in `args.action` or `length(args.text)`",
        ),
        (
            "p.yaml:7:27: /tools/a/limits/0/window",
            (
                "`minut` is not a window; write `second`, `minute`, `hour` or `day`, "
                "a duration such as `90s`, `15m` or `1.5h`, or a number of seconds"
            ),
        ),
        ("p.yaml:7:42: /tools/a/limits/0/max", "expected a whole number >= 1"),
        (
            "p.yaml:9:23: /tools/a/deny_if/0/conditions/0/path",
            "the path `y` must start with `args.`, as in `args.action` or `length(args.text)`",
        ),
        ("p.yaml:9:32: /tools/a/deny_if/0/conditions/0/op", "unknown value; did you mean `not_in`?"),
        (
            "p.yaml:9:57: /tools/a/deny_if/0/conditions/1/path",
            "the path `x` must start with `args.`, as in `args.action` or `length(args.text)`",
        ),
        (
            "p.yaml:9:74: /tools/a/deny_if/0/conditions/1/value",
            "`gt` compares numbers; its value must be a number, not a string",
        ),
    ]


def test_a_mistake_beyond_the_shapes_is_enough():
    """A document whose shapes are right is still refused for what it says."""
    assert problems("version: '1'\ndefault: deny\ntools: {a: {approval: {hold: 2m}}}") == [
        ("p.yaml:3:24: /tools/a/approval/hold", "`hold` is a time of at most 60 seconds")
    ]


def test_a_document_that_is_no_mapping_is_refused():
    """A list is not a policy."""
    assert problems("- 1") == [("p.yaml:1:1", "expected a mapping, got a list")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_loads_and_compiles(path: Path):
    """The policies that we ship have no mistakes."""
    compile_policy(load_policy(read_document(path.read_text(), path.name, "json")))


def test_a_policy_has_what_its_document_says():
    """Fields come through as they were written."""
    policy = load_policy(document({"version": "1", "default": "allow", "hide": ["x*"], "description": "d"}))
    assert (policy.default, policy.hide, policy.description) == ("allow", ("x*",), "d")
