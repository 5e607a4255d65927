"""The small values of a configuration, each with what it refuses."""

import pytest

from gateway.reading import scalars


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("120s", 120), ("2m", 120), ("1.5h", 5400), ("30d", 2592000), ("0s", 0)],
)
def test_durations(text, seconds):
    """A number and a unit make nanoseconds."""
    assert scalars.duration_ns(text) == seconds * 10**9


def test_durations_are_exact():
    """No digit is lost on the way to nanoseconds."""
    assert scalars.duration_ns("999999999999999.000000001s") == 999999999999999000000001


@pytest.mark.parametrize("text", ["", "120", "s", "-1s", "1 s", "1S", "1e3s", "\u0661s", "1w", "9" * 5000 + "s"])
def test_durations_refused(text):
    """Without a unit, with another one, or below zero, it is no duration."""
    with pytest.raises(ValueError, match="duration"):
        scalars.duration_ns(text)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t01:00:00+01:00", 0),
        ("1970-01-01 00:00:00.000001z", 1000),
        ("2027-06-30T00:00:00Z", 1814313600 * 10**9),
    ],
)
def test_instants(text, ns):
    """An RFC 3339 time is an exact number of nanoseconds."""
    assert scalars.instant_ns(text) == ns


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2027-06-30T00:00:00", "no offset"),
        ("2027-06-30", "is not a time"),
        ("2027-06-30T00:00Z", "is not a time"),
        ("20270630T000000Z", "is not a time"),
        ("2027-06-30T00:00:00 Z", "is not a time"),
        ("2027-06-30T00:00:00Zulu", "is not a time"),
        ("2027-02-30T00:00:00Z", "no such time"),
        ("2027-06-30T00:00:60Z", "no such time"),
        ("tomorrow", "is not a time"),
    ],
)
def test_instants_refused(text, message):
    """A time that depends on the machine, or does not exist, is refused."""
    with pytest.raises(ValueError, match=message):
        scalars.instant_ns(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("[::1]:8080", ("::1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_addresses(text, address):
    """Host and port come apart at the last colon."""
    assert scalars.host_port(text) == address


@pytest.mark.parametrize(
    "text",
    ["", ":8080", "127.0.0.1", "8080", "::1:8080", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:\u0661",
     "h:", "127.0.0.256:80", "a b:80", "[::1:80", "[x]:80", "*:80", "http://h:80", "a..b:80"],
)  # fmt: skip
def test_addresses_refused(text):
    """What is not exactly host:port is refused."""
    with pytest.raises(ValueError, match=r"."):
        scalars.host_port(text)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("LocalHost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "192.168.1.1", "localhost.evil.com", "::ffff:127.0.0.1")],
)
def test_loopback(host, loopback):
    """Only addresses that no other machine can reach are loopback."""
    assert scalars.is_loopback(host) is loopback


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9090/mcp", "https://h.example/a/b", "http://[::1]:9090/mcp", "http://h", "HTTP://h/x"],
)
def test_server_urls(url):
    """A URL of http or https with a host is taken as written."""
    assert scalars.server_url(url) == url


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://h/x", "http:// or https://"),
        ("h:9090/mcp", "http:// or https://"),
        ("//h/mcp", "http:// or https://"),
        ("http:///mcp", "names no host"),
        ("http://:90/mcp", "names no host"),
        ("http://u:p@h/mcp", "`headers`"),
        ("http://@h/mcp", "`headers`"),
        ("http://h/mcp?x=1", "query or a fragment"),
        ("http://h/mcp?", "query or a fragment"),
        ("http://h/mcp#x", "query or a fragment"),
        ("http://h:99999/mcp", "not a port"),
        ("http://h:x/mcp", "not a host"),
        ("http://h\t/mcp", "a space"),
        ("http://h\\@evil/mcp", "a backslash"),
        ("http://bücher.example/", "outside ASCII"),
        ("", "a space"),
        ("http://[::1/mcp", "IPv6"),
    ],
)
def test_server_urls_refused(url, message):
    """What a URL of a server may not hold is refused, saying where it belongs instead."""
    with pytest.raises(ValueError, match=message):
        scalars.server_url(url)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_999_999_999, "1970-01-01T00:00:01Z"),
        (1_800_000_000_000_000_000, "2027-01-15T08:00:00Z"),
    ],
)
def test_instants_as_text(ns, text):
    """In UTC, rounded down to a second, and read back as such."""
    assert scalars.instant_text(ns) == text
    assert scalars.instant_ns(text) == ns - ns % 1_000_000_000


def test_webhook_urls():
    """A query may hold a key; a user, a password or a fragment has no place."""
    assert scalars.webhook_url("https://h.example/hook?key=1") == "https://h.example/hook?key=1"
    for text in ("https://u:p@h/", "https://h/#x", "file:///x", "//h", ""):
        with pytest.raises(ValueError, match=r"."):
            scalars.webhook_url(text)


def test_origins():
    """An origin is scheme, host and port in small letters; a path, a slash, a user or a star is refused."""
    assert scalars.origin("https://Console.example:8443") == "https://console.example:8443"
    for text in ("https://h/", "https://h/x", "null", "*", "https://u@h", "h", "https://*.example"):
        with pytest.raises(ValueError, match=r"."):
            scalars.origin(text)


def test_hosts():
    """A host is written as in a Host header, without its port."""
    assert [scalars.host_name(host) for host in ("H.example", "[::1]")] == ["h.example", "[::1]"]
    for text in ("", "*", "h:", "h:80", "[::1]:80", "::1", "http://h", "h/"):
        with pytest.raises(ValueError, match=r"."):
            scalars.host_name(text)


def test_names():
    """A server's name is safe in a path and a metric label."""
    assert scalars.name("bin-assist_2") == "bin-assist_2"
    for text in ("", "A", "-a", "_a", "a/b", "a.b", "a" * 65, "a\n"):
        with pytest.raises(ValueError, match="small letters"):
            scalars.name(text)


def test_labels():
    """A label is for people, so it is printable and stays on one line."""
    assert scalars.label("Alice's laptop, Zoë #1") == "Alice's laptop, Zoë #1"
    for text in ("", " a", "a ", "a\nb", "a\x1b[0m", "a\u202eb", "a" * 65):
        with pytest.raises(ValueError, match="printable"):
            scalars.label(text)


def test_digests():
    """64 hexadecimal digits of either case are 32 bytes."""
    assert scalars.sha256_digest("aB" * 32) == b"\xab" * 32
    for text in ("", "ab" * 31, "ab" * 33, "zz" * 32, " " + "ab" * 31 + "a"):
        with pytest.raises(ValueError, match="SHA-256"):
            scalars.sha256_digest(text)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("65536", 65536), ("64KiB", 65536), ("64MiB", 64 << 20), ("2GiB", 2 << 30)]
)
def test_sizes(text, count):
    """In powers of 1024, or bytes."""
    assert scalars.byte_count(text) == count


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "64MB", "64 MiB", "-1", "64mib"])
def test_sizes_refused(text):
    """Anything that could be meant in two ways is none."""
    with pytest.raises(ValueError, match="not a size"):
        scalars.byte_count(text)
