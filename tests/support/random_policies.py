"""Random policies and calls for properties: small enough that the rules often meet the calls."""

from typing import Any

from hypothesis import strategies as st

VALUES = st.sampled_from([0, 1, 1.5, True, False, "", "x", [], ["x"], [1], {}, {"b": 1}])
CONDITION = st.one_of(
    [
        st.fixed_dictionaries(
            {
                "path": st.sampled_from(["args.a", "args.a.b", "args.a[0]", "args.a[*]", "args.a[*].b"]),
                "op": st.sampled_from(ops),
                "value": values,
            }
        )
        for ops, values in [
            (["eq", "neq", "contains"], VALUES),
            (["lt", "lte", "gt", "gte"], st.sampled_from([0, 1, 1.5])),
            (["in", "not_in"], st.lists(VALUES, min_size=1, max_size=3)),
            (["exists"], st.booleans()),
            (["regex"], st.sampled_from(["x", "^$"])),
        ]
    ]
)
RULES = st.lists(st.fixed_dictionaries({"conditions": st.lists(CONDITION, max_size=2)}), max_size=3)
ARGUMENTS = st.dictionaries(st.just("a"), st.none() | VALUES | st.lists(VALUES, max_size=3))

_OFTEN_EMPTY: Any = st.just([]) | RULES
_SHADOWY_RULES = st.lists(
    st.fixed_dictionaries(
        {"conditions": st.lists(CONDITION, max_size=2), "mode": st.sampled_from(["enforce", "shadow"])}
    ),
    max_size=2,
)
_COUNTERS: dict[str, dict[str, Any]] = {
    "slide": {"max": 2},
    "fixed": {"max": 3, "algorithm": "fixed_window"},
    "bucket": {"max": 2, "algorithm": "token_bucket", "burst": 1},
    "weighted": {"max": 3, "increment_from": "args.a"},
    "session": {"max": 1, "scope": "session"},
}
_LIMITS = st.lists(
    st.builds(
        lambda counter, mode: {"counter": counter, "window": "minute", "mode": mode, **_COUNTERS[counter]},
        st.sampled_from(sorted(_COUNTERS)),
        st.sampled_from(["enforce", "enforce", "shadow"]),
    ),
    max_size=3,
)
_ENTRY: Any = st.fixed_dictionaries(
    {},
    optional={
        "require": _OFTEN_EMPTY,
        "deny_if": _SHADOWY_RULES,
        "approve_if": _SHADOWY_RULES,
        "limits": _LIMITS,
        "concurrency": st.integers(1, 2),
        "arguments": st.just({"properties": {"a": {"type": ["integer", "string"]}}}),
    },
)
_TOOL = _ENTRY | st.builds(
    lambda entry, action: {**entry, "action": action}, _ENTRY, st.sampled_from(["deny", "require_approval"])
)
TOOLS = ("t", "tt", "u")
POLICIES: Any = st.fixed_dictionaries(
    {"version": st.just("1"), "default": st.sampled_from(["allow", "deny"])},
    optional={
        "hide": st.just(["u*"]),
        "all_tools": _ENTRY,
        "tools": st.dictionaries(st.sampled_from(["t", "t*", "*t", "u"]), _TOOL, max_size=3),
    },
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "tool": st.sampled_from(TOOLS),
            "arguments": ARGUMENTS,
            "session": st.sampled_from([None, "s"]),
            "approved": st.booleans(),
            "free": st.sampled_from([False, False, True]),
            "after": st.sampled_from([0, 0, 1, 30, 61]),
        }
    ),
    min_size=1,
    max_size=6,
)
