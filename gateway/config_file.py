"""The shape of the gateway's configuration file, and every check on what is written in it.

It says what is wrong; `gateway.config`, its only caller, builds the settings from a file with no faults.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from gateway.audit_settings import AuditEntry, audit_faults
from gateway.bounds import BoundsEntry, bounds_faults, span_s
from gateway.documents import Document
from gateway.reading import scalars
from gateway.reading.outcome import Fault, Path
from gateway.reading.shapes import nearest

_V = TypeVar("_V")
_Parts = Mapping[Path, object]
"""Every part of the file by its path."""

_LISTEN: Final = "127.0.0.1:8080"
_ADMIN_LISTEN: Final = "127.0.0.1:9901"
_MIN_SECRET: Final = 16
_GRANTS: Final = ("grants",)
_ADMIN_TOKENS: Final = ("admin", "tokens")
_MAX_TIMEOUT_S = 24 * 3600
_MAX_SILENCE_S = 3600
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OF_COMMANDS: Final = {"env", "cwd"}
_OF_URLS: Final = {"headers", "transport", "down_after", "down_for"}
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


class AdminTokenEntry(msgspec.Struct, frozen=True):
    """One entry of `admin.tokens`: somebody who may decide on approvals over HTTP."""

    label: str
    token_sha256: str


class AdminEntry(msgspec.Struct, frozen=True):
    """`admin`: the second listener, for people and Prometheus."""

    listen: str = _ADMIN_LISTEN
    tokens: list[AdminTokenEntry] = []


class WebhookEntry(msgspec.Struct, frozen=True):
    """`approvals.webhook`: who is told that an approval is asked for. It has one of the two secrets."""

    url: str
    secret: str | None = None
    secret_file: str | None = None
    include_arguments: bool = False


class ApprovalsEntry(msgspec.Struct, frozen=True):
    """`approvals`: how calls wait for people."""

    pending_per_grant: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    webhook: WebhookEntry | None = None


class ServerEntry(msgspec.Struct, frozen=True):
    """One entry of `servers`: at a URL, or started by a command."""

    url: str | None = None
    transport: Literal["streamable-http", "sse"] = "streamable-http"
    headers: dict[str, str] = {}
    command: list[str] | None = None
    env: dict[str, str] = {}
    cwd: str = "."
    timeout: float | str = "120s"
    tool_timeouts: dict[str, float | str] = {}
    pin: Literal["hide", "flag", "allow"] | None = None
    down_after: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    down_for: float | str = "5s"


class GrantEntry(msgspec.Struct, frozen=True):
    """One entry of `grants`. Without a policy it denies everything; without a token it is for stdio alone."""

    label: str
    server: str
    token_sha256: str | None = None
    policy: str | None = None
    expires: str | None = None


class ConfigFile(msgspec.Struct, frozen=True):
    """The whole file, as written."""

    servers: dict[str, ServerEntry]
    listen: str = _LISTEN
    admin: AdminEntry = AdminEntry()
    state_dir: str = "state"
    policies: dict[str, dict[str, object]] = {}
    grants: list[GrantEntry] = []
    approvals: ApprovalsEntry = ApprovalsEntry()
    audit: AuditEntry = AuditEntry()
    bounds: BoundsEntry = BoundsEntry()
    allowed_hosts: list[str] = []
    allowed_origins: list[str] = []
    keep_alive: float | str = "15s"


def timeout_s(written: float | str) -> float:
    """Seconds to wait for a server, from a duration or a number of seconds; ValueError above 24 hours."""
    seconds = _seconds(written)
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise ValueError("a time-out must be more than zero and at most 24h")
    return seconds


def keep_alive_s(written: float | str) -> float:
    """Seconds of silence on a stream, from a duration or a number of seconds; ValueError above an hour."""
    seconds = _seconds(written)
    if not 0 < seconds <= _MAX_SILENCE_S:
        raise ValueError("the silence on a stream must be more than zero and at most 1h")
    return seconds


def _seconds(written: float | str) -> float:
    return scalars.duration_ns(written) / 1e9 if isinstance(written, str) else written


def webhook_secret(text: str) -> bytes:
    """The key that webhooks are signed with, from text without the space around it; ValueError if it is short."""
    secret = text.strip()
    if len(secret) < _MIN_SECRET:
        raise ValueError(
            f"the secret must have at least {_MIN_SECRET} characters; make one with `openssl rand -hex 32`"
        )
    return secret.encode()


def is_reference(entry: object) -> bool:
    """Whether an entry of `policies` says only in which `file` the policy is."""
    return isinstance(entry, dict) and set(entry) == {"file"}


def config_faults(document: Document) -> Iterator[Fault]:
    """Yield every mistake that the types of the fields cannot express.

    Works on each value by itself, and passes over one of a wrong type, so that no mistake hides another.
    """
    parts = document.parts()
    for path, value in parts.items():
        reader = _reader(path)
        if reader is not None and isinstance(value, str):
            yield from _fault(path, reader, value)
    yield from _listener_faults(parts)
    yield from _server_faults(parts)
    yield from _command_faults(parts)
    yield from _policy_faults(parts)
    yield from _undefined_names(parts)
    yield from _webhook_faults(parts)
    yield from audit_faults(parts)
    yield from bounds_faults(parts)
    yield from _twin_faults(parts, "label", str, _GRANTS)
    yield from _twin_faults(parts, "label", str, _ADMIN_TOKENS)
    # A grant whose token were also an admin's could approve its own calls.
    yield from _twin_faults(parts, "token_sha256", str.lower, _GRANTS, _ADMIN_TOKENS)


def _reader(path: Path) -> Callable[[str], object] | None:
    """What reads the text that stands at a path; None where any text will do."""
    match path:
        case ("listen",) | ("admin", "listen"):
            return scalars.host_port
        case ("state_dir",) | ("servers", str(), "cwd"):
            return _directory
        case ("servers", str(), "url"):
            return scalars.server_url
        case ("grants", int(), "label") | ("admin", "tokens", int(), "label"):
            return scalars.label
        case ("grants", int(), "token_sha256") | ("admin", "tokens", int(), "token_sha256"):
            return scalars.sha256_digest
        case ("approvals", "webhook", "url"):
            return scalars.webhook_url
        case ("approvals", "webhook", "secret"):
            return webhook_secret
        case ("grants", int(), "expires"):
            return scalars.instant_ns
        case ("allowed_hosts", int()):
            return scalars.host_name
        case ("allowed_origins", int()):
            return scalars.origin
        case _:
            return None


def _fault(path: Path, read: Callable[[_V], object], value: _V) -> Iterator[Fault]:
    try:
        read(value)
    except ValueError as error:
        yield path, str(error)


def _directory(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("must be the path of a directory")
    return text


def _listener_faults(parts: _Parts) -> Iterator[Fault]:
    listen = _address(parts.get(("listen",), _LISTEN))
    admin = _address(parts.get(("admin", "listen"), _ADMIN_LISTEN))
    if listen and not scalars.is_loopback(listen[0]) and parts.get(("grants",), []) == []:
        yield ("listen",), "is open to other machines while there is no grant; add one, or listen on 127.0.0.1"
    if admin and not scalars.is_loopback(admin[0]):
        message = "has no sign-in in this version, so it must be loopback; write 127.0.0.1 or [::1]"
        yield ("admin", "listen"), message
    if listen and listen == admin and listen[1] != 0:
        yield ("admin", "listen"), "is the address that agents connect to (`listen`); use another port"


def _address(written: object) -> tuple[str, int] | None:
    try:
        return scalars.host_port(written) if isinstance(written, str) else None
    except ValueError:
        return None


def _server_faults(parts: _Parts) -> Iterator[Fault]:
    headers: set[tuple[str, str]] = set()
    for path, value in parts.items():
        match path:
            case ("servers",) if value == {}:
                yield path, "names no server; add one with its `url`, or the `command` that starts it"
            case ("servers", str(name)):
                yield from _fault(path, scalars.name, name)
            case ("keep_alive",) if isinstance(value, str | int | float):
                yield from _fault(path, keep_alive_s, value)
            case ("servers", str(), "down_for") if isinstance(value, str | int | float):
                yield from _fault(path, span_s, value)
            case ("servers", str(), "timeout") if isinstance(value, str | int | float):
                yield from _fault(path, timeout_s, value)
            case ("servers", str(), "tool_timeouts", str()) if isinstance(value, str | int | float):
                yield from _fault(path, timeout_s, value)
            case ("servers", str(server), "headers", str(header)):
                if message := _header_complaint(header.lower(), value):
                    yield path, message
                if (server, header.lower()) in headers:
                    yield path, "this header is written twice, its name differing only in case; keep one of them"
                headers.add((server, header.lower()))


def _command_faults(parts: _Parts) -> Iterator[Fault]:
    for path, value in parts.items():
        match path:
            case ("servers", str()) if isinstance(value, dict):
                yield from _way_faults(path, value)
            case ("servers", str(), "command") if value == [] or (isinstance(value, list) and value[0] == ""):
                yield path, "names no program; write a list of the program and its arguments"
            case ("servers", str(), "command", int()) | ("servers", str(), "env", str()) if "\0" in str(value):
                yield path, "holds a NUL character, which no process can be given"
            case ("servers", str(), "env", str(variable)) if not _VARIABLE.fullmatch(variable):
                yield path, "not the name of a variable: letters, digits and `_`"


def _way_faults(path: Path, entry: Mapping[str, object]) -> Iterator[Fault]:
    """A server is reached in one way, and what belongs to the other has no effect."""
    match entry.get("url") is not None, entry.get("command") is not None:
        case False, False:
            yield path, "needs the `url` where it listens, or the `command` that starts it"
        case True, True:
            yield (*path, "command"), "the server has a `url` already; remove one of the two"
        case True, False:
            for field in sorted(_OF_COMMANDS & entry.keys()):
                yield (*path, field), "goes with `command`, not with `url`; remove it"
        case _:
            for field in sorted(_OF_URLS & entry.keys()):
                yield (*path, field), "goes with `url`, not with `command`; remove it"


def _header_complaint(name: str, value: object) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return "not the name of a header: letters, digits and `-`"
    if name in _RESERVED_HEADERS or name.startswith("mcp-"):
        return "the gateway sets this header itself; remove it"
    if isinstance(value, str) and not _HEADER_VALUE.fullmatch(value):
        return "the value must be visible ASCII characters, with spaces only between them"
    return None


def _policy_faults(parts: _Parts) -> Iterator[Fault]:
    for path, value in parts.items():
        match path:
            case ("policies", str(name)):
                yield from _fault(path, scalars.label, name)
            case ("policies", str(), "file") if is_reference(parts[path[:2]]) and not isinstance(value, str):
                yield path, "must be the path of a policy file"


def _undefined_names(parts: _Parts) -> Iterator[Fault]:
    for path, value in parts.items():
        match path:
            case ("grants", int(), "server" | "policy" as kind) if isinstance(value, str):
                known = parts.get(("servers" if kind == "server" else "policies",), {})
                if isinstance(known, dict) and value not in known:
                    yield path, f"no {kind} has this name{nearest(value, known)}"


def _webhook_faults(parts: _Parts) -> Iterator[Fault]:
    path = ("approvals", "webhook")
    webhook = parts.get(path)
    if isinstance(webhook, dict) and ("secret" in webhook) == ("secret_file" in webhook):
        yield path, "needs exactly one of `secret` and `secret_file`: what it sends is signed with it"


def _twin_faults(parts: _Parts, field: str, form: Callable[[str], str], *lists: Path) -> Iterator[Fault]:
    """Entries of these lists of which this field has the same form."""
    owners: dict[str, list[Path]] = {}
    for path, value in parts.items():
        match path:
            case (*owner, int(), name) if tuple(owner) in lists and name == field and isinstance(value, str):
                owners.setdefault(form(value), []).append(path)
    for paths in owners.values():
        for path in paths if len(paths) > 1 else ():
            others = ", ".join("/" + "/".join(map(str, other)) for other in paths if other != path)
            yield path, f"also written at {others}; each needs its own"
