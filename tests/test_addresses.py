"""Who a request must be meant for, and whose pages may send one."""

import pytest

from gateway.addresses import Addresses, ForeignAddressError

OURS = Addresses.of("10.0.0.7", ["gw.example", "[fd00::1]"], ["https://app.example"])


def refused(headers: list[tuple[str, str]]) -> ForeignAddressError:
    """The refusal of a request with these headers."""
    with pytest.raises(ForeignAddressError) as raised:
        OURS.check(headers)
    return raised.value


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.7", "10.0.0.7:8080", "localhost", "localhost:1", "LOCALHOST:8080", "127.0.0.1:65535",
        "[::1]", "[::1]:8080", "gw.example", "GW.Example", "gw.example:1234",
        "[fd00::1]", "[fd00::1]:9000", "[FD00::1]:9000",
    ],
)  # fmt: skip
def test_a_host_of_ours_passes(host):
    """Loopback, the listen address and the allowed hosts, on any port."""
    OURS.check([("Host", host)])


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "10.0.0.70", "gw.example.", "gw.example.evil.example", "evil.gw.example",
        "xgw.example", "gw.example:", "gw.example:844300", "gw.example:8443:8443", "fd00::1", "::1",
        "[::1", "[::1]evil", "[::ffff:127.0.0.1]", "[::1%25lo]", "127.0.0.1.", "127.1", "2130706433",
        "0x7f000001", "0177.0.0.1", "localhost.", "localhost.evil.example", "evil@localhost",
        "localhost@evil", "localhost/evil", "localhost#evil", "localhost:80@evil", "localhost:",
        "localhost: 80", "localhost:-1", "localhost:999999", " localhost", "localhost ", "localhost\t",
        "localhost,evil", "localhost\\evil", "http://localhost", "\uff4cocalhost", "localhost\n", "localhost\0",
    ],
)  # fmt: skip
def test_any_other_host_is_misdirected(host):
    """F44: a foreign host, and any trick with ports, dots, brackets or other spellings, is 421."""
    refusal = refused([("Host", host)])
    assert (refusal.status, refusal.reason) == (421, "host")


def test_an_ipv6_listener_is_named_in_brackets():
    """The listen address is written without brackets, the Host header with."""
    Addresses.of("fd00::2").check([("host", "[fd00::2]:8080")])


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:3000",
        "https://127.0.0.1:8443",
        "http://[::1]:80",
        "https://app.example",
        "https://APP.example",
    ],
)
def test_an_origin_of_this_machine_or_an_allowed_one_passes(origin):
    """Pages of this machine's and of the origins that the operator named may ask."""
    OURS.check([("Host", "localhost"), ("Origin", origin)])


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "http://evil.example", "http://localhost.evil.com", "http://127.0.0.1:80@evil",
        "http://127.0.0.1:port@evil", "http://app.example", "https://app.example:444",
        "https://app.example/", "https://app.example.evil", "http://gw.example", "http://10.0.0.7",
        "file://localhost", "localhost", "//localhost", "http:localhost", "http://localhost/",
        "http://localhost?x", "http://localhost http://evil", "http://localhost,http://evil",
        "http://evil#http://localhost", "javascript://localhost",
    ],
)  # fmt: skip
def test_any_other_origin_is_forbidden(origin):
    """F43: a foreign origin, `null`, and everything that only begins like one of ours is 403."""
    refusal = refused([("Host", "localhost"), ("Origin", origin)])
    assert (refusal.status, refusal.reason) == (403, "origin")


def test_an_allowed_host_is_no_origin():
    """That agents reach the gateway under a name does not let web pages of that name use it."""
    assert refused([("Origin", "https://gw.example")]).status == 403
