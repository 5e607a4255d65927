"""The section `audit` of the configuration."""

import pytest

from gateway.audit_settings import AuditEntry, Upkeep, audit_faults, upkeep


def test_left_out_it_means_the_defaults():
    """What the file's types and the settings' types say is the same."""
    assert upkeep(AuditEntry()) == Upkeep()


def test_durations_and_sizes_are_read():
    """As text with a unit, or as plain numbers."""
    entry = AuditEntry(sync=0.1, rotate_size="1GiB", rotate_after="1h", keep_for="90d", keep_size=1 << 30)
    assert upkeep(entry) == Upkeep(0.1, 1 << 30, 3600 * 10**9, 90 * 86400 * 10**9, 1 << 30)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("sync", "0s", "1ms to 10s"),
        ("sync", 11, "1ms to 10s"),
        ("sync", "soon", "not a duration"),
        ("rotate_size", "1KiB", "64KiB"),
        ("rotate_size", "64MB", "not a size"),
        ("keep_size", 5, "64KiB"),
        ("keep_for", "1s", "1m"),
        ("rotate_after", 0, "1m"),
    ],
)
def test_what_makes_no_sense_is_a_fault_at_its_place(field, value, message):
    """With what would be right."""
    ((path, text),) = audit_faults({("audit",): {}, ("audit", field): value})
    assert path == ("audit", field)
    assert message in text


@pytest.mark.parametrize("value", [True, None, ["64MiB"]])
def test_a_value_of_another_type_is_left_to_the_types(value):
    """One mistake is told once."""
    assert list(audit_faults({("audit", "sync"): value, ("other", "sync"): "x"})) == []
