"""Families of metrics: what they count, and that Prometheus reads what they write."""

import pytest
from prometheus_client import Gauge as ClientGauge
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from gateway.series import Counter, Gauge, Histogram, Reading, Registry

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def registry() -> Registry:
    """An empty registry."""
    return Registry()


def samples(text: bytes) -> Samples:
    """What a scraper makes of an exposition."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_our_text_says_what_the_clients_own_would(registry: Registry):
    """Every kind of family, with and without labels, gives the same samples written by us and by prometheus-client."""
    Counter("plain", "P.", registry=registry).inc(2)
    calls = Counter("calls", "C.", ["grant", "tool"], registry=registry)
    calls.labels("alice", "get_code").inc()
    calls.labels("bob", "get_code").inc(3)
    Gauge("open", "O.", ["server"], registry=registry).labels("s").set(4)
    sizes = Histogram("sizes", "S.", ["stage"], buckets=(0.00002, 0.5, 10), registry=registry)
    for value in (0.00002, 0.1, 3, 1000):
        sizes.labels("all").observe(value)
    Histogram("whole", "W.", buckets=(1,), registry=registry).observe(0.25)
    Reading("left", "L.", ["counter"], registry=registry).read = lambda: [(("c",), 0.5), (("d",), 1)]
    ClientGauge("theirs", "T.", registry=registry).set(7)
    ours = samples(registry.exposition())
    assert ours == samples(generate_latest(registry))
    assert ours["calls_total", (("grant", "bob"), ("tool", "get_code"))] == 3
    assert ours["sizes_bucket", (("le", "2e-05"), ("stage", "all"))] == 1
    assert ours["sizes_bucket", (("le", "10.0"), ("stage", "all"))] == 3
    assert ours["sizes_bucket", (("le", "+Inf"), ("stage", "all"))] == ours["sizes_count", (("stage", "all"),)] == 4
    assert ours["whole_sum", ()] == 0.25
    assert ours["theirs", ()] == 7


@pytest.mark.parametrize("value", ['say "hi"', "back\\slash", "two\nlines", "µ, {}=", "\\n"])
def test_label_values_survive(registry: Registry, value: str):
    """Quotes, backslashes and line ends in a value neither break the text nor change."""
    Counter("calls", "C.", ["rule"], registry=registry).labels(value).inc()
    assert samples(registry.exposition()) == {("calls_total", (("rule", value),)): 1}


def test_a_family_without_labels_is_there_from_the_start(registry: Registry):
    """Zero is a number: without it Prometheus would take the first count for the beginning."""
    Counter("failures", "F.", registry=registry)
    Histogram("lag", "L.", buckets=(1,), registry=registry)
    assert b"failures_total 0.0\n" in registry.exposition()
    assert b"lag_count 0.0\n" in registry.exposition()


def test_a_series_can_go(registry: Registry):
    """What is no longer there is no longer told, and removing it twice is no error."""
    up = Gauge("up", "U.", ["server"], registry=registry)
    up.labels("a").set(1)
    up.labels("b").set(1)
    up.remove("a")
    up.remove("a")
    assert samples(registry.exposition()) == {("up", (("server", "b"),)): 1}


def test_a_gauge_goes_up_and_down(registry: Registry):
    """With labels and without."""
    inflight = Gauge("inflight", "I.", ["server"], registry=registry)
    inflight.labels("s").inc()
    inflight.labels("s").inc()
    inflight.labels("s").dec()
    waiting = Gauge("waiting", "W.", registry=registry)
    waiting.set(5)
    waiting.inc()
    assert registry.get_sample_value("inflight", {"server": "s"}) == 1
    assert registry.get_sample_value("waiting") == 6


def test_what_is_read_is_read_each_time(registry: Registry):
    """Series come and go as the reading says."""
    left = Reading("left", "L.", ["grant"], registry=registry)
    assert samples(registry.exposition()) == {}
    left.read = lambda: [(("alice",), 1.0)]
    assert samples(registry.exposition()) == {("left", (("grant", "alice"),)): 1}
    left.read = lambda: [(("bob",), 0.0)]
    assert samples(registry.exposition()) == {("left", (("grant", "bob"),)): 0}


def test_a_name_is_given_once(registry: Registry):
    """Two families of one name would contradict each other."""
    Counter("calls", "C.", registry=registry)
    with pytest.raises(ValueError, match="calls"):
        Gauge("calls", "C.", registry=registry)
