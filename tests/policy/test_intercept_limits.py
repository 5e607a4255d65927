"""Counters of Intercept rules as version-1 limits."""

from typing import Any

import pytest

from gateway.documents import Carried, Document
from gateway.policy.intercept_limits import (
    Condition,
    State,
    UncarriedError,
    check_counter,
    is_on_counter,
    limit_of_rate,
    limit_of_state,
    literal_path,
)

AT = ("tools", "pay", "rules", 0)
FIXED = {"scope": "grant", "algorithm": "fixed_window"}


def plain(limit: dict[str, object]) -> tuple[Any, dict[Any, Any]]:
    """The limit without its origins, and the origins of its fields."""
    form = Document(value=None, source="p").rewritten(Carried(limit, AT))
    return form.value, {path[0]: origin for path, origin in form.origins.items() if path}


def refusal(call, *args) -> tuple[Any, str]:
    """Where and why something cannot be carried over."""
    with pytest.raises(UncarriedError) as caught:
        call(*args)
    return caught.value.path, str(caught.value)


def of_state(*conditions: Condition, **state: Any) -> dict[str, object]:
    """The limit of a rule that counts `spend` in a day, or as `state` says."""
    return limit_of_state("pay", State(**{"counter": "spend", "window": "day", **state}), conditions, AT)


def bound(op: Any = "lte", value: object = 10, path: str = "state.pay.spend") -> Condition:
    """A condition on the counter."""
    return Condition(path=path, op=op, value=value)


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_a_rate_is_a_fixed_window(window: str):
    """`10/hour` counts ten calls of the tool in each calendar window, for each grant."""
    limit, origins = plain(limit_of_rate("pay", f"10/{window}", AT))
    assert limit == {"counter": f"pay._rate_{window}", "window": window, "max": 10, **FIXED}
    assert origins == {"counter": AT, "window": AT, "max": AT}


@pytest.mark.parametrize("rate", ["", "10", "10/week", "0/hour", "-1/hour", "ten/hour", "1.5/hour", "10 / hour", "10/"])
def test_what_is_no_rate_is_refused(rate: str):
    """A rate is a whole number above zero, a stroke, and one of three windows."""
    message = f"`{rate}` is not a rate; write how many in a `minute`, `hour` or `day`, as in `10/hour`"
    assert refusal(limit_of_rate, "pay", rate, AT) == (AT, message)


@pytest.mark.parametrize(("op", "value", "maximum"), [("lte", 10, 10), ("lt", 10, 9), ("lte", 1, 1), ("lt", 2, 1)])
def test_the_bound_is_the_most_that_pass(op: str, value: int, maximum: int):
    """Intercept compares the count after the call, so `lte 10` lets ten pass and `lt 10` nine."""
    limit, origins = plain(of_state(bound(op, value)))
    assert limit == {"counter": "pay.spend", "window": "day", "max": maximum, **FIXED}
    assert origins == {
        "counter": (*AT, "state", "counter"),
        "window": (*AT, "state", "window"),
        "max": (*AT, "conditions", 0, "value"),
    }


@pytest.mark.parametrize(
    ("state", "cost"),
    [
        ({}, {}),
        ({"increment": 5}, {"increment": 5}),
        ({"increment_from": "args.amount"}, {"increment_from": "args.amount"}),
        ({"increment_from": "args.lines[0]"}, {"increment_from": r"args.lines\[0]"}),
    ],
)
def test_the_cost_of_a_call(state: dict[str, Any], cost: dict[str, object]):
    """A fixed increment and one read from an argument come through."""
    limit, origins = plain(of_state(bound(), **state))
    assert limit == {"counter": "pay.spend", "window": "day", "max": 10, **FIXED, **cost}
    assert {name: origins[name] for name in cost} == {name: (*AT, "state", name) for name in cost}


@pytest.mark.parametrize(
    ("conditions", "place", "message"),
    [
        (
            [],
            ("state",),
            (
                "nothing bounds this counter; add the condition `path: state.pay.spend`, `op: lte`, `value: 10`, "
                "or remove it"
            ),
        ),
        (
            [bound(path="state.pay.other")],
            ("conditions", 0, "path"),
            (
                "`state.pay.other` is not what this rule counts, and version 1 has no conditions on counters; "
                "bound a counter in the rule that has it under `state`"
            ),
        ),
        ([bound(), bound("lt", 3)], ("conditions", 1), "the counter has a bound already; keep the lower of the two"),
        (
            [bound("gt")],
            ("conditions", 0, "op"),
            "`gt` does not bound a counter from above; write `lte` and how many may pass",
        ),
        *(
            ([bound(value=value)], ("conditions", 0, "value"), "a counter is bounded by a whole number, such as 10")
            for value in (1.5, True, "10", None)
        ),
        *(
            (
                [bound(op, value)],
                ("conditions", 0, "value"),
                "this bound lets no call pass; say so with a rule of `action: deny`",
            )
            for op, value in (("lte", 0), ("lt", 1), ("lte", -3))
        ),
    ],
)
def test_a_bound_that_version_1_cannot_express_is_refused(conditions: list[Condition], place: Any, message: str):
    """What does not bound the rule's own counter from above is named, with what would mend it."""
    assert refusal(of_state, *conditions) == ((*AT, *place), message)


def test_two_costs_are_refused():
    """Intercept would pass over `increment` without a word."""
    with pytest.raises(UncarriedError, match="keep one of `increment` and `increment_from`") as caught:
        of_state(bound(), increment=2, increment_from="args.amount")
    assert caught.value.path == (*AT, "state", "increment")


def test_arguments_are_no_counters():
    """Only `state.` begins the path of a counter."""
    assert is_on_counter(bound())
    assert not is_on_counter(bound(path="args.state.pay"))
    check_counter(bound(), "state.pay.spend", AT)
    assert refusal(check_counter, bound(), None, AT)[0] == (*AT, "path")


def test_only_dots_mean_something_in_a_path():
    """Every other character is part of a name, and stays one in version 1."""
    assert literal_path(r"args.a\b[0].c") == r"args.a\\b\[0].c"
    assert literal_path("args.*.a*.*") == r"args.\*.a*.\*"
