"""The small values that people write as text: durations, addresses, instants, names. Each reads one, or
raises ValueError with a sentence saying what is wrong and how to write it. Called by config, policy and CLI.
"""

import datetime as dt
import ipaddress
import re
from fractions import Fraction
from urllib.parse import SplitResult, urlsplit

_UNITS_NS = {
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60 * 1_000_000_000,
    "h": 3600 * 1_000_000_000,
    "d": 86_400 * 1_000_000_000,
}
_DURATION = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
_SIZE_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,15})((?:[KMGT]iB)?)")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?")
_OFFSET = re.compile(r"[Zz]|[+-][0-9]{2}:[0-9]{2}")
_HOST_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_HOST_PART}(?:\.{_HOST_PART})*")
_VISIBLE = re.compile(r"[!-~]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

MAX_LABEL = 64


def duration_ns(text: str) -> int:
    """Nanoseconds in a duration such as "500ms", "120s", "2m", "1.5h" or "30d". It may be zero."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text[:40]}" is not a duration; write for instance 500ms, 120s, 2m or 1h')
    return round(Fraction(match[1]) * _UNITS_NS[match[2]])


def byte_count(text: str) -> int:
    """Bytes in a size such as "64KiB", "100MiB" or "1GiB"."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text[:40]}" is not a size; write for instance 64MiB, 10GiB, or a number of bytes')
    return int(match[1]) * _SIZE_UNITS[match[2]]


def instant_ns(text: str) -> int:
    """UTC nanoseconds since 1970 of an RFC 3339 time, which must carry its offset."""
    match = _INSTANT.match(text)
    offset = text[match.end() :] if match else ""
    if match is None or (offset and not _OFFSET.fullmatch(offset)):
        raise ValueError(f'"{text[:40]}" is not a time; write for instance 2027-06-30T00:00:00Z')
    if not offset:
        raise ValueError(f"the time has no offset, so its meaning depends on the machine; write {text}Z for UTC")
    try:
        instant = dt.datetime.fromisoformat(match[0].upper() + offset.upper())
        return (instant - _EPOCH) // dt.timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError) as error:
        raise ValueError(f'there is no such time as "{text}": {error}') from None


def instant_text(instant_ns: int) -> str:
    """The RFC 3339 time in UTC of nanoseconds since 1970, rounded down to a second."""
    return (_EPOCH + dt.timedelta(seconds=instant_ns // 1_000_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ")


def host_port(text: str) -> tuple[str, int]:
    """Host and port of "127.0.0.1:8080" or "[::1]:8080"; the host without brackets, the port 0 to 65535."""
    host, colon, port = text.rpartition(":")
    if not host or not colon:
        raise ValueError(f'"{text[:80]}" is not host:port; write for instance 127.0.0.1:8080 or [::1]:8080')
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f'"{port[:20]}" is not a port; write a number from 0 to 65535')
    return checked_host(host), int(port)


def checked_host(text: str) -> str:
    """A host name, an IPv4 address, or an IPv6 address in brackets, which are taken off."""
    if text.startswith("[") and text.endswith("]"):
        return str(ipaddress.IPv6Address(text[1:-1]))
    if ":" in text:
        raise ValueError(f'"{text[:80]}" is not a host; an IPv6 address stands in brackets, as in [::1]')
    if re.fullmatch(r"[0-9.]+", text):
        return str(ipaddress.IPv4Address(text))
    if not _HOST_NAME.fullmatch(text):
        raise ValueError(f'"{text[:80]}" is not a host name or an address')
    return text


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`. Of names, only localhost is trusted to be loopback."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def server_url(text: str) -> str:
    """The URL of an MCP server, as written: http or https, a host, no user, query or fragment."""
    parts = _http_url(text)
    if "@" in parts.netloc:
        raise ValueError("the URL holds a user or password; put the credential into `headers`")
    if "?" in text or "#" in text:
        raise ValueError("the URL holds a query or a fragment; remove it")
    return text


def webhook_url(text: str) -> str:
    """A URL to send messages to, as written: http or https, a host, no user or fragment; it may have a query."""
    if "@" in _http_url(text).netloc or "#" in text:
        raise ValueError("the URL holds a user, a password or a fragment; remove it")
    return text


def origin(text: str) -> str:
    """A web origin as browsers send it, in small letters: scheme://host or scheme://host:port."""
    parts = _http_url(text)
    if text.lower() != f"{parts.scheme}://{parts.netloc}".lower() or "@" in parts.netloc:
        raise ValueError(f'"{text[:80]}" is not an origin; write only scheme://host:port, without a final slash')
    return text.lower()


def host_name(text: str) -> str:
    """A host as a Host header writes it, in small letters, an IPv6 address in brackets; without a port."""
    if re.search(r"[^:]:[0-9]*$", text):
        raise ValueError("ports do not matter here; write the host alone")
    checked_host(text)
    return text.lower()


def _http_url(text: str) -> SplitResult:
    if not _VISIBLE.fullmatch(text) or "\\" in text:
        raise ValueError("the URL holds a space, a backslash or a character outside ASCII; percent-encode it")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f'"{text[:80]}" does not begin with http:// or https://')
    host = parts.netloc.rpartition("@")[2]
    if not host.partition(":")[0]:
        raise ValueError("the URL names no host; write for instance http://127.0.0.1:9090/mcp")
    if re.search(r":[0-9]*$", host):
        host_port(host)
    else:
        checked_host(host)
    return parts


def name(text: str) -> str:
    """The name of a server: it becomes part of a path and of metric labels."""
    if not _NAME.fullmatch(text):
        raise ValueError("must be 1 to 64 small letters, digits, `-` and `_`, beginning with a letter or digit")
    return text


def label(text: str) -> str:
    """A name for people: 1 to 64 printable characters, with no space at either end."""
    if not 1 <= len(text) <= MAX_LABEL or not text.isprintable() or text != text.strip():
        raise ValueError(f"must be 1 to {MAX_LABEL} printable characters, with no space at either end")
    return text


def sha256_digest(text: str) -> bytes:
    """The 32 bytes that 64 hexadecimal digits spell."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("not a SHA-256 digest: 64 hexadecimal digits, as `gateway grant new` prints them")
    return bytes.fromhex(text)
