"""Metrics: names, and labels that nobody can flood."""

import pytest

from gateway.metrics import LABELS, OTHER, UNKNOWN, KnownNames, Metrics


def test_a_name_that_is_not_known_is_unknown():
    """Only names that were learnt become label values; no name stays none."""
    names = KnownNames(["cancel_task"])
    assert names.label("cancel_task") == "cancel_task"
    assert names.label("Cancel_task") == UNKNOWN
    assert names.label("x" * 1_000_000) == UNKNOWN
    assert names.label("") == ""


def test_asking_does_not_teach():
    """An agent that calls a tool again and again does not make its name a label."""
    names = KnownNames()
    assert {names.label("evil") for _ in range(5)} == {UNKNOWN}


def test_names_beyond_the_cap_are_other():
    """The first names keep their labels; later ones share one, however often they come."""
    names = KnownNames(cap=2)
    names.learn(["a", "b", "c"])
    names.learn(["c", "a", "d"])
    assert [names.label(name) for name in "abcde"] == ["a", "b", OTHER, OTHER, UNKNOWN]


def test_a_flood_of_names_fills_no_memory():
    """However many names a server lists, the labels stay within the cap and two more."""
    names = KnownNames(cap=200)
    flood = [f"tool_{number}" for number in range(10_000)]
    names.learn(iter(flood))
    labels = {names.label(name) for name in flood}
    assert len(labels) == 202
    assert {OTHER, UNKNOWN} < labels
    assert len(names._labels) == 400


def test_our_own_names_are_admitted_up_to_the_cap():
    """Names of the configuration need not be learnt first; beyond the cap they share a label, and none is unknown."""
    names = KnownNames(cap=2)
    assert [names.admit(name) for name in ("a", "b", "c", "a", "c")] == ["a", "b", OTHER, "a", OTHER]


def exposition(metrics: Metrics) -> str:
    return metrics.registry.exposition().decode()


def test_the_build_is_told():
    """Version and core in use are a metric."""
    text = exposition(Metrics("1.2.3", "cython"))
    assert 'mcp_gateway_build_info{core="cython",version="1.2.3"} 1.0' in text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mcp_gateway_decisions_total", "counter"),
        ("mcp_gateway_denials_total", "counter"),
        ("mcp_server_operation_duration_seconds", "histogram"),
        ("mcp_gateway_overhead_seconds", "histogram"),
        ("mcp_gateway_inflight", "gauge"),
        ("mcp_gateway_approvals_pending", "gauge"),
        ("mcp_gateway_approvals_total", "counter"),
        ("mcp_gateway_malformed_total", "counter"),
        ("mcp_gateway_audit_failures_total", "counter"),
        ("mcp_gateway_audit_records_total", "counter"),
        ("mcp_gateway_audit_write_seconds", "histogram"),
        ("mcp_gateway_upstream_seconds", "histogram"),
        ("mcp_gateway_upstream_up", "gauge"),
        ("mcp_gateway_upstream_errors_total", "counter"),
        ("mcp_gateway_limit_remaining_ratio", "gauge"),
        ("mcp_gateway_shadow_total", "counter"),
        ("mcp_gateway_connections", "gauge"),
        ("mcp_gateway_approvals_oldest_seconds", "gauge"),
        ("mcp_gateway_config_reloads_total", "counter"),
        ("mcp_gateway_event_loop_lag_seconds", "histogram"),
        ("process_resident_memory_bytes", "gauge"),
    ],
)
def test_the_metrics_have_the_names_that_dashboards_use(name, kind):
    """Names and kinds are a promise to whoever has built on them."""
    assert f"# TYPE {name} {kind}" in exposition(Metrics("1", "python"))


def test_each_gateway_has_metrics_of_its_own():
    """Two gateways in one process do not share a registry."""
    first, second = Metrics("1", "python"), Metrics("1", "python")
    first.audit.failures.inc()
    assert "mcp_gateway_audit_failures_total 1.0" in exposition(first)
    assert "mcp_gateway_audit_failures_total 0.0" in exposition(second)


def test_overhead_is_seen_down_to_microseconds():
    """The buckets of what we add are fine enough to see it; those of operations are the convention's."""
    metrics = Metrics("1", "python")
    metrics.overhead.labels("decide").observe(30e-6)
    metrics.operations.labels("tools/call", "x", "").observe(0.03)
    text = exposition(metrics)
    assert 'mcp_gateway_overhead_seconds_bucket{le="2e-05",stage="decide"} 0.0' in text
    assert 'mcp_gateway_overhead_seconds_bucket{le="5e-05",stage="decide"} 1.0' in text
    assert 'error_type="",gen_ai_tool_name="x",le="0.05",mcp_method_name="tools/call"} 1.0' in text


def test_written_records_are_counted_and_timed():
    """Each once, in the bucket of its time and all larger ones."""
    metrics = Metrics("1", "python")
    for seconds in (4e-6, 5e-6, 6e-6, 2):
        metrics.audit.written(seconds)
    shown = exposition(metrics)
    assert "mcp_gateway_audit_records_total 4.0" in shown
    for bound, count in (("5e-06", 2), ("1e-05", 3), ("1.0", 3), ("+Inf", 4)):
        assert f'mcp_gateway_audit_write_seconds_bucket{{le="{bound}"}} {count}.0' in shown
    assert "mcp_gateway_audit_write_seconds_count 4.0" in shown
    assert "mcp_gateway_audit_write_seconds_sum 2.000015" in shown


def test_reloads_are_there_before_the_first():
    """Prometheus sees an increase only of what it has seen before, and an alert waits for the first refusal."""
    text = exposition(Metrics("1", "python"))
    assert 'mcp_gateway_config_reloads_total{result="refused"} 0.0' in text
    assert 'mcp_gateway_config_reloads_total{result="applied"} 0.0' in text


def test_every_label_is_explained():
    """What values a label takes is part of the declaration."""
    used = {label for family in Metrics("1", "python").registry.members for label in getattr(family, "labelnames", ())}
    assert used <= set(LABELS)
