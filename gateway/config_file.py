"""The shape of the gateway's configuration file, and every check on what is written in it.

It says what is wrong; `gateway.config`, its only caller, builds the settings from a file with no faults.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from gateway.reading import scalars
from gateway.reading.outcome import Path
from gateway.reading.shapes import Fault, nearest

_MAX_TIMEOUT_S = 24 * 3600
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ \t!-~]*[!-~])?")
# Hop-by-hop headers (RFC 9110, 7.6.1) and those the gateway makes for each request from what it judged.
_RESERVED_HEADERS = frozenset(
    [
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
        *(
            "accept",
            "accept-encoding",
            "content-encoding",
            "content-length",
            "content-type",
            "expect",
            "host",
        ),
    ]
)


class AdminEntry(msgspec.Struct, frozen=True):
    """`admin`: the second listener, for people and Prometheus."""

    listen: str = "127.0.0.1:9901"


class ServerEntry(msgspec.Struct, frozen=True):
    """One entry of `servers`."""

    url: str
    headers: dict[str, str] = {}
    timeout: float | str = "120s"


class GrantEntry(msgspec.Struct, frozen=True):
    """One entry of `grants`. Without a policy it denies everything."""

    label: str
    server: str
    token_sha256: str
    policy: str | None = None
    expires: str | None = None


class ConfigFile(msgspec.Struct, frozen=True):
    """The whole file, as written."""

    servers: dict[str, ServerEntry]
    listen: str = "127.0.0.1:8080"
    admin: AdminEntry = AdminEntry()
    state_dir: str = "state"
    policies: dict[str, dict[str, object]] = {}
    grants: list[GrantEntry] = []
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []


def policy_file(entry: dict[str, object]) -> str | None:
    """The file that an entry of `policies` refers to; None for a policy written inline."""
    name = entry.get("file")
    return name if isinstance(name, str) and len(entry) == 1 else None


def timeout_s(written: float | str) -> float:
    """Seconds to wait for a server, from a duration or a number of seconds; ValueError above 24 hours."""
    seconds = scalars.duration_s(written) if isinstance(written, str) else written
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise ValueError("a time-out must be more than zero and at most 24h")
    return seconds


def config_faults(file: ConfigFile) -> Iterator[Fault]:
    """Yield every mistake that the types of the fields cannot express."""
    yield from _listener_faults(file)
    for name, server in file.servers.items():
        yield from _server_faults(name, server)
    if not file.servers:
        yield ("servers",), "names no server; add one with its `url`"
    for name, entry in file.policies.items():
        yield from _fault(("policies", name), scalars.label, name)
        if "file" in entry and len(entry) == 1 and policy_file(entry) is None:
            yield ("policies", name, "file"), "must be the path of a policy file"
    for index, grant in enumerate(file.grants):
        yield from _grant_faults(("grants", index), grant, file)
    yield from _twin_faults("label", [grant.label for grant in file.grants])
    yield from _twin_faults("token_sha256", [grant.token_sha256.lower() for grant in file.grants])
    for index, host in enumerate(file.allowed_hosts):
        yield from _fault(("allowed_hosts", index), scalars.host_name, host)
    for index, origin in enumerate(file.allowed_origins):
        yield from _fault(("allowed_origins", index), scalars.origin, origin)
    if not file.state_dir or "\0" in file.state_dir:
        yield ("state_dir",), "must be the path of a directory"


def _fault(path: Path, read: Callable[[str], object], text: str) -> Iterator[Fault]:
    try:
        read(text)
    except ValueError as error:
        yield path, str(error)


def _listener_faults(file: ConfigFile) -> Iterator[Fault]:
    malformed = [
        *_fault(("listen",), scalars.host_port, file.listen),
        *_fault(("admin", "listen"), scalars.host_port, file.admin.listen),
    ]
    if malformed:
        yield from malformed
        return
    listen, admin = scalars.host_port(file.listen), scalars.host_port(file.admin.listen)
    if not scalars.is_loopback(listen[0]) and not file.grants:
        yield (
            ("listen",),
            "is open to other machines while there is no grant; add one, or listen on 127.0.0.1",
        )
    if not scalars.is_loopback(admin[0]):
        yield (
            ("admin", "listen"),
            "has no sign-in in this version, so it must be loopback; write 127.0.0.1 or [::1]",
        )
    if listen == admin and listen[1] != 0:
        yield ("admin", "listen"), "is the address that agents connect to (`listen`); use another port"


def _server_faults(name: str, server: ServerEntry) -> Iterator[Fault]:
    path: Path = ("servers", name)
    yield from _fault(path, scalars.name, name)
    yield from _fault((*path, "url"), scalars.server_url, server.url)
    try:
        timeout_s(server.timeout)
    except ValueError as error:
        yield (*path, "timeout"), str(error)
    seen: set[str] = set()
    for header, value in server.headers.items():
        here = (*path, "headers", header)
        if message := _header_complaint(header.lower(), value):
            yield here, message
        if header.lower() in seen:
            yield here, "this header is written twice, its name differing only in case; keep one of them"
        seen.add(header.lower())


def _header_complaint(name: str, value: str) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "not the name of a header: letters, digits and `-`"
    if name in _RESERVED_HEADERS or name.startswith("mcp-"):
        return "the gateway sets this header itself; remove it"
    if not _HEADER_VALUE.fullmatch(value):
        return "the value must be visible ASCII characters, with spaces only between them"
    return None


def _grant_faults(path: Path, grant: GrantEntry, file: ConfigFile) -> Iterator[Fault]:
    yield from _fault((*path, "label"), scalars.label, grant.label)
    yield from _fault((*path, "token_sha256"), scalars.sha256_digest, grant.token_sha256)
    if grant.server not in file.servers:
        yield (*path, "server"), f"no server has this name{nearest(grant.server, file.servers)}"
    if grant.policy is not None and grant.policy not in file.policies:
        yield (*path, "policy"), f"no policy has this name{nearest(grant.policy, file.policies)}"
    if grant.expires is not None:
        yield from _fault((*path, "expires"), scalars.instant_ns, grant.expires)


def _twin_faults(field: str, values: Iterable[str]) -> Iterator[Fault]:
    owners: dict[str, list[int]] = {}
    for index, value in enumerate(values):
        owners.setdefault(value, []).append(index)
    for indexes in owners.values():
        for index in indexes if len(indexes) > 1 else ():
            others = ", ".join(f"/grants/{other}/{field}" for other in indexes if other != index)
            yield ("grants", index, field), f"also written at {others}; each grant needs its own"
