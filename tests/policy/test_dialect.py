"""The dialects of policy documents: how each is recognised, and what its version-1 form does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.documents import read_document
from gateway.errors import DocumentError
from gateway.policy import load
from gateway.policy.dialect import is_policy, version_1
from tests.support.policies import document

LIMIT = {"counter": "c", "window": "minute", "max": 10}
BLOCK = {"max": 10, "window": 60}


def form(value: Any) -> Any:
    """The version-1 form of a document without faults."""
    made, faults = version_1(document(value))
    assert faults == []
    assert made is not None
    return made.value


def problems(text: str) -> list[str]:
    """Every problem of a YAML policy."""
    with pytest.raises(DocumentError) as caught:
        load.load_policy(read_document(text, "p.yaml", "yaml"))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "value",
    [
        {"version": "1", "default": "deny", "tools": {"a": {"limits": [LIMIT]}}},
        {"version": "1", "default": "deny", "tools": {"a": {"action": "deny", "reason": "why"}}},
        {"version": "1", "default": "deny", "tools": {"a": {"rate_limit": BLOCK}}},
        {"version": "1", "default": "deny", "tools": {"a": {"validate": {"required_args": True}}}},
        # Wrong, but version 1's to judge.
        {"version": "1", "a": {"limits": [LIMIT]}},
        {"version": "1", "tools": {"a": {}}},
        {"default": "deny"},
        {"tools": []},
        [],
    ],
)
def test_version_1_is_its_own_form(value: Any):
    """A document that has no mark of another dialect is left as it is, whatever may be wrong with it."""
    given_document = document(value)
    assert version_1(given_document) == (given_document, [])


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        # As the page of a tool shows its rule, for the reader to put into a policy.
        ({"a": {"limits": [LIMIT]}}, {"tools": {"a": {"limits": [LIMIT]}}}),
        ({"a": {"rate_limit": BLOCK}, "b": {}}, {"tools": {"a": {"rate_limit": BLOCK}, "b": {}}}),
        ({"a": {"action": "deny", "reason": "w"}}, {"tools": {"a": {"action": "deny", "reason": "w"}}}),
        ({"tools": {"a": {}}}, {"tools": {"a": {}}}),
        ({"tools": {"a": {}}, "hide": ["b"]}, {"tools": {"a": {}}, "hide": ["b"]}),
        ({"tools": {"a": {}}, "default": "allow"}, {"tools": {"a": {}}, "default": "allow"}),
        (
            {"a": {"rules": [{"action": "allow", "rate_limit": BLOCK}]}},
            {"tools": {"a": {"rate_limit": BLOCK}}},
        ),
        ({"tools": {"a": {"rules": []}}}, {"tools": {"a": {}}}),
    ],
)
def test_a_fragment_denies_what_it_does_not_name(value: Any, becomes: Any):
    """What has no version is completed with `default: deny`, in whichever dialect its tools are written."""
    assert form(value) == {"version": "1", "default": "deny"} | becomes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"version": "1"}, True),
        ({"default": "deny"}, True),
        ({"tools": {}}, True),
        ({"a": {"limits": []}}, True),
        ({"a": {"rules": []}, "b": {}}, True),
        ({"a": {}}, False),
        ({"a": {"limit": []}}, False),
        ({"a": {"limits": []}, "b": 1}, False),
        ({"rules": []}, False),
        ({}, False),
        ([], False),
        (None, False),
    ],
)
def test_a_policy_is_known_by_its_marks(value: Any, expected: bool):
    """Nothing is tried out: the names of fields decide."""
    assert is_policy(value) is expected


def test_a_mixture_is_refused():
    """A document in two dialects is told where each of them shows, and to choose."""
    assert problems("""\
version: "1"
default: deny
all_tools: {}
tools:
  a: {rules: []}
  b: {limits: [], deny_if: []}
  c: {rules: [], action: deny}
""") == [
        f"p.yaml:{line}:{column}: {pointer}: `{pointer.split('/')[-1]}` is version 1's, but `rules` at "
        "p.yaml:5:7: /tools/a/rules is Intercept's; write the whole document in one of the two"
        for line, column, pointer in [
            (3, 1, "/all_tools"),
            (6, 7, "/tools/b/limits"),
            (6, 19, "/tools/b/deny_if"),
            (7, 18, "/tools/c/action"),
        ]
    ]


def test_mistakes_in_a_fragment_have_their_place_in_the_text():
    """A person is pointed to what was written, not to what it became."""
    assert problems("a:\n  limits: [{counter: c, window: minut, max: 0}]\n") == [
        (
            "p.yaml:2:25: /a/limits/0/window: `minut` is not a window; write `second`, `minute`, `hour` or `day`, "
            "a duration such as `90s`, `15m` or `1.5h`, or a number of seconds"
        ),
        "p.yaml:2:40: /a/limits/0/max: expected a whole number >= 1",
    ]


def test_mistakes_of_an_intercept_document_have_their_place_in_the_text():
    """What version 1 finds wrong with a form is told where the dialect has it, beside what could not be carried."""
    assert problems("""\
a:
  rules:
    - name: (odd)
      conditions:
        - {path: state.a.n, op: lte, value: 2000000000}
        - {path: args.x, op: regex, value: "("}
      state: {counter: n, window: day}
    - rate_limit: often
""") == [
        "p.yaml:3:7: /a/rules/0/name: an id must not start with `(`: that is how the gateway's own names begin",
        "p.yaml:5:38: /a/rules/0/conditions/0/value: expected a whole number <= 1000000000",
        ("p.yaml:6:37: /a/rules/0/conditions/1/value: the pattern is not a regular expression: a `(` is never closed"),
        (
            "p.yaml:8:7: /a/rules/1/rate_limit: `often` is not a rate; write how many in a `minute`, `hour` or `day`, "
            "as in `10/hour`"
        ),
    ]


def test_a_policy_inside_another_document_keeps_its_place():
    """A configuration may hold a policy in any dialect."""
    text = "policies:\n  p:\n    a:\n      rules:\n      - {rate_limit: 5/week}\n"
    part = read_document(text, "g.yaml", "yaml").at("policies", "p")
    with pytest.raises(DocumentError, match=r"^g.yaml:5:10: /policies/p/a/rules/0/rate_limit: `5/week` is not a rate"):
        load.load_policy(part)


NAMES = st.sampled_from(["a", "b.c", "get_x"])
CONDITIONS: list[dict[str, Any]] = [
    {"path": "args.x", "op": "lte", "value": 5},
    {"path": "args.y.z", "op": "in", "value": ["u", 1]},
    {"path": "args.l[0]", "op": "exists", "value": False},
    {"path": r"args.b\c", "op": "regex", "value": "^a[bc]+$"},
]
KINDS: list[dict[str, Any]] = [{}, {"action": "deny"}, {"action": "require_approval", "approval_timeout": "5m"}]
COSTS: list[dict[str, Any]] = [{}, {"increment": 3}, {"increment_from": "args.amount"}]


@st.composite
def rules(draw: st.DrawFn, scope: str) -> list[dict[str, Any]]:
    """Right rules of one tool."""
    some = st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2)
    labels = st.fixed_dictionaries({}, optional={"name": st.sampled_from(["cap", "other"]), "on_deny": st.just("no")})
    found: list[dict[str, Any]] = []
    for kind in draw(st.lists(st.sampled_from(KINDS), max_size=3)):
        found.append(kind | draw(labels))
        if kind.get("action") != "deny" and (draw(st.booleans()) or not kind):
            found[-1]["conditions"] = draw(some)
    if draw(st.booleans()):
        found.append({"rate_limit": draw(st.sampled_from(["5/hour", "600/minute"]))} | draw(labels))
    if draw(st.booleans()):
        bound = {"path": f"state.{scope}.n", "op": "lt", "value": 50}
        state = {"counter": "n", "window": "day"} | draw(st.sampled_from(COSTS))
        found.append({"conditions": [*draw(some), bound], "state": state} | draw(labels))
    return found


@st.composite
def intercept_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Right Intercept documents."""
    tools = {name: {"rules": draw(rules(name))} for name in draw(st.lists(NAMES, min_size=1, unique=True))}
    if draw(st.booleans()):
        tools["*"] = {"rules": draw(rules("_global"))}
    whole: dict[str, Any] = {"version": "1", "tools": tools}
    if draw(st.booleans()):
        whole["default"] = draw(st.sampled_from(["allow", "deny"]))
    if draw(st.booleans()):
        whole["hide"] = draw(st.lists(NAMES, unique=True))
    return whole


@given(intercept_documents())
def test_the_form_loads_and_is_its_own_form(value: dict[str, Any]):
    """What a right document becomes is a right version-1 document, which stays as it is when it is read again."""
    made = load.version_1(document(value))
    again = read_document(json.dumps(made.value), "printed.json", "json")
    assert load.version_1(again).value == made.value
    assert load.load_policy(again) == load.load_policy(document(value))


@given(intercept_documents())
def test_every_part_of_a_form_has_an_origin(value: dict[str, Any]):
    """Whatever is wrong with a form can be shown in the text."""
    text = json.dumps(value, indent=1)
    made = load.version_1(read_document(text, "p.json", "json"))
    for path in made.parts():
        assert made.place(path).startswith("p.json:")
        assert made.origin(path)[:1] in {(), ("version",), ("default",), ("hide",), ("tools",)}
