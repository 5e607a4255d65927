"""Limits of a document: the counters they spend on, and fields that do not go together."""

from typing import Any

import msgspec
import pytest

from gateway import fastpath
from gateway.policy.limits import Counter, conflicts, core_limit, counter_from, counter_of
from gateway.policy.model import Limit

MINUTE_NS = 60_000_000_000
UNSOUND = object()


def limit(**fields: Any) -> Limit:
    """Ten calls a minute, changed by `fields`."""
    return Limit(**{"counter": "c", "window": "minute", "max": 10, **fields})


def sound(**fields: Any) -> dict[str, Any]:
    """The fields of `limit(**fields)`, without those that are not sound."""
    whole = {**msgspec.structs.asdict(limit()), **fields}
    return {name: value for name, value in whole.items() if value is not UNSOUND}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, fastpath.SLIDING_WINDOW),
        ({"max": 10_000}, fastpath.SLIDING_WINDOW),
        ({"max": 10_001}, fastpath.FIXED_WINDOW),
        ({"max": 10_001, "algorithm": "token_bucket"}, fastpath.TOKEN_BUCKET),
        ({"algorithm": "fixed_window"}, fastpath.FIXED_WINDOW),
    ],
)
def test_the_algorithm_follows_from_the_size_unless_it_is_named(fields: dict[str, Any], kind: int):
    """A sliding window up to 10,000 calls, a fixed one beyond."""
    assert counter_of(limit(**fields)).kind == kind


def test_a_counter_holds_what_its_limits_must_agree_on():
    """The burst of a token bucket is its own, or `max`."""
    bucket = {"algorithm": "token_bucket"}
    assert counter_of(limit(**bucket)) == Counter("c", fastpath.TOKEN_BUCKET, MINUTE_NS, 10, 10)
    assert counter_of(limit(**bucket, burst=3)) == Counter("c", fastpath.TOKEN_BUCKET, MINUTE_NS, 10, 3)
    assert counter_of(limit(window=60, on_deny="x")) == counter_of(limit())


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({}, []),
        ({"max": 1_000_000_000, "window": "1s"}, []),
        ({"algorithm": "token_bucket", "burst": 100_000_000}, []),
        ({"window": "minut"}, [("window", "is not a window")]),
        ({"max": 10_001, "algorithm": "sliding_window"}, [("algorithm", "at most 10000 calls")]),
        ({"burst": 5}, [("burst", "add `algorithm: token_bucket`")]),
        ({"burst": 5, "window": "0s"}, [("window", "at least 1 second"), ("burst", "only a token bucket")]),
        ({"max": UNSOUND, "window": "fortnight"}, [("window", "is not a window")]),
        ({"counter": UNSOUND, "max": 10_001, "algorithm": "sliding_window"}, [("algorithm", "at most 10000 calls")]),
        ({"window": UNSOUND, "burst": 5}, [("burst", "add `algorithm: token_bucket`")]),
        ({"algorithm": UNSOUND, "burst": 5, "max": 10_001}, []),
        ({"algorithm": "token_bucket", "max": 1, "window": "366d", "burst": 100}, [("burst", "1..72")]),
    ],
)
def test_conflicts_name_their_field(fields: dict[str, Any], faults: list[tuple[str, str]]):
    """Everything that is wrong with a limit is said, each with the field it is about."""
    found = list(conflicts(sound(**fields)))
    assert [field for field, _ in found] == [field for field, _ in faults]
    for (_, message), (_, words) in zip(found, faults, strict=True):
        assert words in message


@pytest.mark.parametrize("fields", [{"window": "0s"}, {"max": UNSOUND}, {"algorithm": UNSOUND}])
def test_a_limit_with_mistakes_has_no_counter(fields: dict[str, Any]):
    """What it counts is not known before its own fields are right."""
    assert counter_from(sound(**fields)) is None


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_a_limit_without_conflicts_can_be_counted(algorithm: Any):
    """What the checks let pass, the core accepts."""
    counter = counter_from(sound(algorithm=algorithm))
    assert counter == counter_of(limit(algorithm=algorithm))
    core = core_limit(counter, slot=0)
    assert fastpath.remaining(core, fastpath.Words(bytearray(8)), fastpath.Slots(1), 0, 0) == 10
