"""Session ids are of use to the grant they were given to, and to nobody else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mcp.session import seal, unseal

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
LABELS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
OWNERS = st.tuples(LABELS, LABELS)


@given(server=LABELS, grant=LABELS, upstream_id=VISIBLE)
@settings(max_examples=100)
def test_what_was_sealed_unseals_for_the_same_grant(server, grant, upstream_id):
    """The server's own id comes back, whatever visible characters it has, dots among them."""
    sealed = seal(KEY, server, grant, upstream_id)
    assert sealed.startswith(f"{upstream_id}.")
    assert len(sealed) == len(upstream_id) + 1 + 22
    assert unseal(KEY, server, grant, sealed) == upstream_id


@given(OWNERS, OWNERS, VISIBLE)
@settings(max_examples=100)
def test_an_id_is_worth_nothing_to_another_grant(owner, thief, upstream_id):
    """The same id under another server or grant does not unseal."""
    expected = upstream_id if owner == thief else None
    (server, grant), (other_server, other_grant) = owner, thief
    assert unseal(KEY, other_server, other_grant, seal(KEY, server, grant, upstream_id)) == expected


@pytest.mark.parametrize(
    ("key", "server", "grant"),
    [
        (OTHER_KEY, "ab", "c"),
        (KEY, "a", "bc"),
        (KEY, "abc", ""),
        (KEY, "", "abc"),
        (KEY, "c", "ab"),
        (KEY, "AB", "c"),
        (KEY, "ab", "c\0"),
    ],
)
def test_shifting_text_between_the_parts_does_not_help(key, server, grant):
    """Another key, or the same letters cut elsewhere into server and grant, make another id."""
    assert unseal(key, server, grant, seal(KEY, "ab", "c", "session")) is None


def test_text_does_not_move_between_grant_and_id():
    """A grant whose label ends like the beginning of an id gains nothing."""
    sealed = seal(KEY, "s", "alice", "xyz")
    mac = sealed.rpartition(".")[2]
    assert unseal(KEY, "s", "alicex", f"yz.{mac}") is None
    assert unseal(KEY, "s", "alic", f"exyz.{mac}") is None


def test_every_truncation_and_every_changed_character_fails():
    """A sealed id has no part that may be left out or altered."""
    sealed = seal(KEY, "s", "alice", "a.b")
    cut = {sealed[:length] for length in range(len(sealed))} | {sealed[start:] for start in range(1, len(sealed))}
    changed = {sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :] for at in range(len(sealed))}
    assert [text for text in cut | changed if unseal(KEY, "s", "alice", text) is not None] == []


@pytest.mark.parametrize(
    "disguise",
    [
        "{id}.{mac}=",
        "{id}.{mac}==",
        "{id}.{mac}\n",
        " {id}.{mac}",
        "{id}.{mac}.{mac}",
        "{id}\uff0e{mac}",
        "{id}.é{mac}",
        "\udcff{id}.{mac}",
        "{mac}",
        ".{mac}",
        "{id}",
        "{id}.",
        ".",
        "",
    ],
)
def test_odd_shapes_fail_quietly(disguise):
    """Padding, look-alike characters, a bare id or a bare MAC are not a session, and no error either."""
    id, _, mac = seal(KEY, "s", "alice", "session").rpartition(".")
    assert unseal(KEY, "s", "alice", disguise.format(id=id, mac=mac)) is None


def test_a_sealed_id_is_no_upstream_id_of_its_own():
    """An id sealed for one grant may be a server's id for another; the two layers do not mix."""
    inner = seal(KEY, "s", "mallory", "session")
    outer = seal(KEY, "s", "alice", inner)
    assert unseal(KEY, "s", "alice", outer) == inner
    assert unseal(KEY, "s", "mallory", outer) is None
    assert unseal(KEY, "s", "alice", inner) is None
