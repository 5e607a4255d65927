"""From a configuration to a snapshot, and what the next one takes over."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.assembly import Assembly
from gateway.clock import ManualClock
from gateway.config import Config, load_config
from gateway.metrics import KnownNames, Metrics
from gateway.policy.engine import NO_POLICY
from gateway.proxy.identity import Grant
from gateway.proxy.record import Recorder
from gateway.proxy.snapshot import Snapshot
from gateway.proxy.sse_upstream import SseUpstream
from gateway.proxy.underway import Underway
from gateway.store.counters import CounterStore
from gateway.tasks import Tasks
from gateway.tokens import token_digest
from tests.support.gateways import ALLOW_ALL, SEED_POLICY, edit_config, write_config
from tests.support.journals import open_journal


@pytest.fixture
def assembly(tmp_path: Path) -> Iterator[Assembly]:
    """An assembly with counters of its own."""
    clock = ManualClock()
    store, journal = (
        CounterStore.open(tmp_path / "counters", clock, boot_id="this boot"),
        open_journal(tmp_path / "audit"),
    )
    yield Assembly(store, Recorder(journal, Metrics("0", "none"), KnownNames(), clock), Tasks(), Underway())
    store.close()
    journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A configuration."""
    policies = {"seed": SEED_POLICY, "other": SEED_POLICY, "open": ALLOW_ALL, "bare": None}
    return write_config(tmp_path, "http://127.0.0.1:1/mcp", policies)


def edited(path: Path, edit: Callable[[dict[str, Any]], object]) -> Config:
    """The configuration after an edit."""
    edit_config(path, edit)
    return load_config(path)


def grant_of(snapshot: Snapshot, label: str) -> Grant:
    """The grant, by the token that it has from the start."""
    return snapshot.grants.by_digest[token_digest(f"token-{label}")]


def test_everything_that_a_configuration_says_is_there(assembly: Assembly, path: Path):
    """Grants by their tokens, each with its policy; the ways to the servers; paths and names."""
    snapshot = assembly.assemble(load_config(path)).snapshot
    assert {grant.label for grant in snapshot.grants.by_label.values()} == {"seed", "other", "open", "bare"}
    assert grant_of(snapshot, "seed").engine.revision == grant_of(snapshot, "other").engine.revision != ""
    assert grant_of(snapshot, "bare").engine is NO_POLICY
    assert list(snapshot.relays) == ["binassist"]
    assert "/mcp" in snapshot.endpoints


def test_what_has_not_changed_is_taken_over(assembly: Assembly, path: Path):
    """The same connections, and the same grants with the counters they have found."""
    before = assembly.assemble(load_config(path))
    after = assembly.assemble(edited(path, lambda document: document.update(allowed_hosts=["h"])), before)
    assert after.snapshot.relays["binassist"] is before.snapshot.relays["binassist"]
    assert [id(grant) for grant in after.snapshot.grants.by_label.values()] == list(
        map(id, before.snapshot.grants.by_label.values())
    )
    assert "h" in after.snapshot.addresses.hosts & after.snapshot.admin_addresses.hosts


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document["policies"].update(seed=ALLOW_ALL),
        lambda document: document["grants"][0].update(policy="other"),
        lambda document: document["grants"][0].update(expires="2099-01-01T00:00:00Z"),
        lambda document: document["grants"][0].update(label="renamed"),
    ],
    ids=["policy", "another policy", "expiry", "label"],
)
def test_a_grant_that_changed_is_another(assembly: Assembly, path: Path, edit):
    """With a budget that finds its counters anew; its neighbours stay."""
    before = assembly.assemble(load_config(path)).snapshot
    after = assembly.assemble(edited(path, edit), assembly.assemble(load_config(path))).snapshot
    assert grant_of(after, "seed").budget is not grant_of(before, "seed").budget

    whole = assembly.assemble(load_config(path))
    again = assembly.assemble(load_config(path), whole)
    assert grant_of(again.snapshot, "other") is grant_of(whole.snapshot, "other")


def test_true_and_one_are_two_policies(assembly: Assembly, path: Path):
    """Values that Python takes for equal are told apart."""

    def with_value(value: object) -> Callable[[dict[str, Any]], object]:
        rule = {"conditions": [{"path": "args.x", "op": "eq", "value": value}]}
        return lambda document: document["policies"]["seed"]["tools"].update(cancel_task={"deny_if": [rule]})

    before = assembly.assemble(edited(path, with_value(True)))
    after = assembly.assemble(edited(path, with_value(1)), before)
    assert grant_of(after.snapshot, "seed") is not grant_of(before.snapshot, "seed")


@pytest.mark.parametrize("change", [{"timeout": 5}, {"headers": {"X-Api-Key": "new"}}, {"transport": "sse"}])
def test_a_server_that_changed_gets_another_way(assembly: Assembly, path: Path, change):
    """Whatever of it has changed."""
    before = assembly.assemble(load_config(path))
    after = assembly.assemble(edited(path, lambda document: document["servers"]["binassist"].update(change)), before)
    relay = after.snapshot.relays["binassist"]
    assert relay is not before.snapshot.relays["binassist"]
    assert isinstance(relay.upstream, SseUpstream) is ("transport" in change)
