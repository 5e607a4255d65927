"""Tokens lead to their grant, and everything else to one and the same refusal."""

import hashlib

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.errors import GatewayError
from gateway.proxy import identity
from gateway.proxy.identity import MAX_TOKEN_LENGTH, Grant, Grants, Identity
from gateway.proxy.reply import Refusal
from gateway.tokens import token_digest
from tests.support.grants import bare_grant, grant

ALICE = grant("alice", token="gw_abc123_secret")
BOB = grant("bob", server="other", token="token-bob")
WITH_COMMA = grant("comma", token="a,b")
LONGEST = grant("long", token="x" * MAX_TOKEN_LENGTH)


def resolver(*grants: Grant, clock: ManualClock | None = None) -> Identity:
    """An identity of these grants, or of the ones above."""
    known = Grants(grants or (ALICE, BOB, WITH_COMMA, LONGEST, bare_grant()))
    return Identity(lambda: known, clock or ManualClock())


def refusal_of(headers: list[tuple[str, str]], server: str = "binassist") -> Refusal:
    """The refusal of a request with these headers."""
    with pytest.raises(Refusal) as raised:
        resolver().resolve(headers, server)
    return raised.value


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_a_token_leads_to_its_grant(name, scheme):
    """The header's name and the scheme are compared without case, the token exactly."""
    headers = [("X-Other", "Bearer nothing"), (name, f"{scheme} gw_abc123_secret")]
    assert resolver().resolve(headers, "binassist") is ALICE


@pytest.mark.parametrize(
    ("token", "label"), [("a,b", "comma"), ("x" * MAX_TOKEN_LENGTH, "long"), ("token-bare", "bare")]
)
def test_any_visible_characters_make_a_token(token, label):
    """Tokens made elsewhere are as good, up to the bound; a grant without a policy is a grant too."""
    assert resolver().resolve([("Authorization", f"Bearer {token}")], "binassist").label == label


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "Bearer", "Bearer ", "Bearer  gw_abc123_secret", "Bearer\tgw_abc123_secret",
        "Bearer gw_abc123_secret ", "Bearer gw_abc123_secret\t", " Bearer gw_abc123_secret",
        "gw_abc123_secret", "Basic gw_abc123_secret", "Bearergw_abc123_secret", "Bearer: gw_abc123_secret",
        "Bearer gw_abc123_secret, Bearer gw_abc123_secret", "Bearer gw_abc123_secret,Bearer x",
        "Bearer \"gw_abc123_secret\"", "Bearer GW_ABC123_SECRET", "Bearer gw_abc123_secre",
        "Bearer gw_abc123_secret\0", "Bearer gw_abc123_secret\x7f", "Bearer gw_abc123_secrét",
        "Bearer \udcff", "Bearer \u00a0gw_abc123_secret", "Bearer \uff47w",
        "Bearer " + "x" * (MAX_TOKEN_LENGTH + 1), "Bearer " + "x" * 10_240,
        "Bearer " + ALICE.token_digest.hex(),
    ],
    ids=lambda value: ascii(value)[:50],
)  # fmt: skip
def test_whatever_is_not_exactly_a_token_is_refused_alike(value):
    """F40, F41: empty, long, quoted, doubled or non-ASCII tokens are answered just as a wrong one is."""
    expected = refusal_of([("Authorization", "Bearer wrong")])
    refused = refusal_of([("Authorization", value)])
    assert vars(refused) == vars(expected)
    assert str(refused) == str(expected)
    assert refused.headers == {"WWW-Authenticate": 'Bearer realm="mcp", error="invalid_token"'}
    assert (refused.status, refused.reason) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "Bearer gw_abc123_secret"), ("authorization", "Bearer gw_abc123_secret")],
        [("Authorization", "Bearer gw_abc123_secret"), ("Authorization", "")],
        [("Proxy-Authorization", "Bearer gw_abc123_secret")],
        [("X-Authorization", "Bearer gw_abc123_secret")],
        [("Cookie", "Authorization=Bearer gw_abc123_secret")],
        [("Authorization_", "Bearer gw_abc123_secret")],
    ],
)
def test_a_token_stands_in_one_header_only(headers):
    """Two Authorization headers have two meanings, and other headers none."""
    assert vars(refusal_of(headers)) == vars(refusal_of([("Authorization", "Bearer wrong")]))


def test_a_token_is_good_for_its_own_server_only():
    """F42: on another server it is as if it did not exist."""
    headers = [("Authorization", "Bearer token-bob")]
    assert resolver().resolve(headers, "other") is BOB
    assert vars(refusal_of(headers)) == vars(refusal_of([("Authorization", "Bearer wrong")]))
    assert refusal_of(headers, server="").status == 401


def test_a_grant_ends_with_its_expiry():
    """The last nanosecond before the expiry is good; the expiry itself is not."""
    clock = ManualClock(wall_ns=1_000)
    expiring = grant(token="token-alice", expires_ns=2_000)
    identity_then, headers = resolver(expiring, clock=clock), [("Authorization", "Bearer token-alice")]
    clock.advance(ns=999)
    assert identity_then.resolve(headers, "binassist") is expiring
    clock.advance(ns=1)
    with pytest.raises(Refusal) as raised:
        identity_then.resolve(headers, "binassist")
    assert vars(raised.value) == vars(refusal_of([]))


def test_a_grant_is_looked_up_again():
    """What it is now; nothing, and a 401 like any other, once it has ended or is another's."""
    clock = ManualClock(wall_ns=1_000)
    expiring = grant(token="token-alice", expires_ns=2_000)
    grants = resolver(expiring, clock=clock)
    assert grants.renewed(msgspec.structs.replace(expiring, policy="an older one")) is expiring
    for field in ("label", "server"):
        assert grants.current(msgspec.structs.replace(expiring, **{field: "another"})) is None
    assert grants.current(ALICE) is None
    clock.advance(ns=1_000)
    with pytest.raises(Refusal) as raised:
        grants.renewed(expiring)
    assert vars(raised.value) == vars(refusal_of([]))


@pytest.mark.parametrize("headers", [[], [("Authorization", "Bearer ")], [("Authorization", "Bearer é")]])
def test_the_digest_of_nothing_lets_nobody_in(headers):
    """A grant configured with the digest of the empty string is not a grant for everybody."""
    of_nothing = msgspec.structs.replace(ALICE, token_digest=hashlib.sha256(b"").digest())
    with pytest.raises(Refusal):
        resolver(of_nothing).resolve(headers, "binassist")


@pytest.mark.parametrize("headers", [[], [("Authorization", "Bearer é")], [("Authorization", "Bearer wrong")]])
def test_a_digest_is_looked_up_for_every_request(headers, monkeypatch: pytest.MonkeyPatch):
    """How long a refusal takes does not tell a malformed token from a wrong one: both cost one digest."""
    digested: list[str] = []

    def digest(token: str) -> bytes:
        digested.append(token)
        return token_digest(token)

    monkeypatch.setattr(identity, "token_digest", digest)
    refusal_of(headers)
    assert len(digested) == 1


def test_without_a_token_a_grant_has_no_way_in_over_http():
    """No header leads to it, and a token is never compared with what is not there."""
    tokenless = msgspec.structs.replace(ALICE, label="local", token_digest=None)
    identity = resolver(tokenless, BOB)
    for headers in ([], [("Authorization", "Bearer ")], [("Authorization", "Bearer None")]):
        with pytest.raises(Refusal):
            identity.resolve(headers, "binassist")
    assert identity.named("local") is tokenless
    assert identity.resolve([("Authorization", "Bearer token-bob")], "other") is BOB


def test_a_grant_is_found_by_its_label_until_it_expires():
    """What is told of one that is not there, or not any more, is for the gateway's own user."""
    clock = ManualClock(wall_ns=1_000)
    identity = resolver(grant("short", expires_ns=2_000), clock=clock)
    assert identity.named("short").label == "short"
    clock.advance(ns=1_000)
    with pytest.raises(GatewayError, match="the grant 'short' has expired"):
        identity.named("short")
    for label in ("", "SHORT", "nobody"):
        with pytest.raises(GatewayError, match="no grant has the label"):
            identity.named(label)
