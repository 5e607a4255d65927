"""The gateway's settings, typed. Those who put the gateway together read them; everyone else is given plain values."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, assert_never

import msgspec

from gateway.audit_settings import Upkeep, upkeep
from gateway.bounds import Bounds, bounds, span_s
from gateway.config_file import (
    ConfigFile,
    GrantEntry,
    ServerEntry,
    WebhookEntry,
    config_faults,
    is_reference,
    keep_alive_s,
    timeout_s,
    webhook_secret,
)
from gateway.documents import Document, format_of, read_document
from gateway.errors import DocumentError, Problem
from gateway.policy.load import decode_policy, load_policy
from gateway.policy.model import Policy
from gateway.reading import scalars, shapes
from gateway.reading.outcome import Fault
from gateway.source_files import read_source

_WEBHOOK: Final = ("approvals", "webhook")


class Address(msgspec.Struct, frozen=True):
    """Where a listener binds. Port 0 lets the system choose."""

    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int


class HttpServer(msgspec.Struct, frozen=True):
    """One MCP server that listens somewhere."""

    name: str
    url: str
    transport: Literal["streamable-http", "sse"]
    headers: dict[str, str]
    """Sent with every request to the server, our credential among them."""
    timeout_s: float
    tool_timeouts_s: dict[str, float]
    """Instead of `timeout_s`, for calls of these tools."""
    pin: Literal["hide", "flag", "allow"] | None = None
    """What becomes of tools that differ from what `gateway pin` recorded; None where nothing is compared."""
    down_after: int = 5
    """How many failures in a row make the server count as down."""
    down_for_s: float = 5.0
    """How long nothing is sent to a server that is down, at first."""

    def __repr__(self) -> str:
        # The values of headers are credentials: they must not reach a log by way of a repr.
        return f"HttpServer(name={self.name!r}, url={self.url!r}, headers={list(self.headers)})"


class StdioServer(msgspec.Struct, frozen=True):
    """One MCP server that the gateway starts, and speaks to over its standard input and output."""

    name: str
    command: tuple[str, ...]
    """The program and its arguments."""
    env: dict[str, str]
    """What its environment has besides what every server's has; a credential perhaps."""
    folder: Path
    """Where it runs."""
    timeout_s: float
    tool_timeouts_s: dict[str, float]
    """Instead of `timeout_s`, for calls of these tools."""
    pin: Literal["hide", "flag", "allow"] | None = None
    """As for `HttpServer`."""

    def __repr__(self) -> str:
        # Arguments and variables may be credentials.
        return f"StdioServer(name={self.name!r}, program={self.command[0]!r}, env={list(self.env)})"


Server = HttpServer | StdioServer


class Grant(msgspec.Struct, frozen=True):
    """The right to use one server, by a bearer token or, over stdio, by its label alone."""

    label: str
    server: str
    policy: str | None
    """The name of a policy; None denies everything."""
    token_sha256: bytes | None
    """None has no way in over HTTP."""
    expires_ns: int | None
    """UTC since 1970; None never expires."""


class AdminToken(msgspec.Struct, frozen=True):
    """Somebody who may decide on approvals over HTTP."""

    label: str
    token_sha256: bytes


class Webhook(msgspec.Struct, frozen=True):
    """Who is told that an approval is asked for."""

    url: str
    secret: bytes
    include_arguments: bool

    def __repr__(self) -> str:
        # Neither the secret nor a query, which often holds another, may reach a log by way of a repr.
        return f"Webhook(include_arguments={self.include_arguments})"


class Config(msgspec.Struct, frozen=True):
    """Everything a configuration file says, checked: every name used in it is defined in it."""

    source: Path
    """The file that says it."""
    listen: Address
    admin_listen: Address
    state_dir: Path
    servers: dict[str, Server]
    policies: dict[str, Policy]
    """Checked, so that they compile."""
    grants: tuple[Grant, ...]
    admin_tokens: tuple[AdminToken, ...]
    pending_per_grant: int
    """How many calls of one grant may wait for approval."""
    webhook: Webhook | None
    audit_continues: bool
    """Whether calls go on while the audit journal cannot be written."""
    audit_upkeep: Upkeep
    allowed_hosts: tuple[str, ...]
    """Hosts accepted beyond the listener's own, as Host headers write them: small letters, no port."""
    allowed_origins: tuple[str, ...]
    bounds: Bounds
    keep_alive_s: float
    """How long a stream of events may be silent before the agent gets a comment."""
    warnings: tuple[str, ...] = ()
    """What is unwise but not wrong, in sentences for the operator."""


def load_config(path: Path) -> Config:
    """Read a configuration file and the policy files it names, which are relative to it.

    Raises DocumentError with every mistake in all of them, file by file in the order of the text.
    """
    source = read_source(path)
    document = read_document(source.text, str(path), format_of(path.name))
    config = build_config(document, path.parent)
    held = [
        *(["headers or variables for a server"] if any(map(_may_hold_secrets, config.servers.values())) else []),
        *(["the secret of a webhook"] if (*_WEBHOOK, "secret") in document.parts() else []),
    ]
    if source.readable_by_others and held:
        warnings = (*config.warnings, _readable(path, " and ".join(held)))
        config = msgspec.structs.replace(config, warnings=warnings)
    return config


def source_paths(path: Path) -> tuple[Path, ...]:
    """The files that `load_config` reads: the configuration and, as far as that can be read, the policies it names."""
    try:
        document = read_document(read_source(path).text, str(path), format_of(path.name))
    except DocumentError:
        return (path,)
    return (path, *(path.parent / file for _, file in _references(document)))


def build_config(document: Document, folder: Path) -> Config:
    """The settings that a document holds, its relative paths taken from `folder`. Raises as `load_config`."""
    policies, secret = _Policies(document, folder), _WebhookSecret(document, folder)
    faults = [*shapes.faults(document.value, ConfigFile), *config_faults(document), *policies.faults, *secret.faults]
    if problems := [*document.problems(faults), *policies.problems]:
        raise DocumentError(problems)
    file = msgspec.convert(document.value, ConfigFile)
    return Config(
        source=Path(document.source),
        listen=Address(*scalars.host_port(file.listen)),
        admin_listen=Address(*scalars.host_port(file.admin.listen)),
        state_dir=folder / file.state_dir,
        servers={name: _server(name, entry, folder) for name, entry in file.servers.items()},
        policies=policies.checked,
        grants=tuple(_grant(entry) for entry in file.grants),
        admin_tokens=tuple(
            AdminToken(entry.label, scalars.sha256_digest(entry.token_sha256)) for entry in file.admin.tokens
        ),
        pending_per_grant=file.approvals.pending_per_grant,
        webhook=_webhook(file.approvals.webhook, secret.value),
        audit_continues=file.audit.on_failure == "continue",
        audit_upkeep=upkeep(file.audit),
        allowed_hosts=tuple(map(scalars.host_name, file.allowed_hosts)),
        allowed_origins=tuple(map(scalars.origin, file.allowed_origins)),
        bounds=bounds(file.bounds),
        keep_alive_s=keep_alive_s(file.keep_alive),
        warnings=secret.warnings,
    )


class _Policies:
    """The policies of a configuration as far as they can be read, and every mistake in them."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.checked: dict[str, Policy] = {}
        self.faults: list[Fault] = []
        """Mistakes in the configuration itself."""
        self.problems: list[Problem] = []
        """Mistakes in the files that it names, those of one file together."""
        for name, file in _references(document):
            self._read(name, folder / file)
        for path, entry in document.parts().items():
            match path:
                case ("policies", str(name)) if isinstance(entry, dict) and not is_reference(entry):
                    self._take(name, document.at(*path))

    def _take(self, name: str, document: Document) -> None:
        """A policy that is written in the configuration."""
        policy, faults = decode_policy(document)
        self.faults += [((*document.prefix, *path), message) for path, message in faults]
        if policy is not None:
            self.checked[name] = policy

    def _read(self, name: str, path: Path) -> None:
        """A policy in a file of its own."""
        try:
            format, source = format_of(path.name), read_source(path)
        except DocumentError as error:
            self.faults += [(("policies", name, "file"), str(problem)) for problem in error.problems]
            return
        try:
            self.checked[name] = load_policy(read_document(source.text, str(path), format))
        except DocumentError as error:
            # Another name may stand for the same file.
            self.problems += [problem for problem in error.problems if problem not in self.problems]


def _references(document: Document) -> Iterator[tuple[str, str]]:
    """The policies that are in files of their own: name and file, as written."""
    for path, entry in document.parts().items():
        match path, entry:
            case ("policies", str(name)), {"file": str(file)} if is_reference(entry):
                yield name, file


class _WebhookSecret:
    """What webhooks are signed with, wherever it is written, and every mistake in it."""

    def __init__(self, document: Document, folder: Path) -> None:
        self.value = b""
        self.faults: list[Fault] = []
        self.warnings: tuple[str, ...] = ()
        parts = document.parts()
        match parts.get((*_WEBHOOK, "secret")), parts.get((*_WEBHOOK, "secret_file")):
            case str(text), None:
                # What is wrong with it is found with the other faults of the file.
                with contextlib.suppress(ValueError):
                    self.value = webhook_secret(text)
            case None, str(name):
                self._read(folder / name)

    def _read(self, path: Path) -> None:
        try:
            source = read_source(path)
            self.value = webhook_secret(source.text)
        except (DocumentError, ValueError) as error:
            self.faults.append(((*_WEBHOOK, "secret_file"), str(error)))
            return
        if source.readable_by_others:
            self.warnings = (_readable(path, "the secret of a webhook"),)


def _readable(path: Path, held: str) -> str:
    return f"{path}: holds {held} and every user can read it; run `chmod o-r {path}`"


def _webhook(entry: WebhookEntry | None, secret: bytes) -> Webhook | None:
    return None if entry is None else Webhook(entry.url, secret, entry.include_arguments)


def _server(name: str, entry: ServerEntry, folder: Path) -> Server:
    waits = timeout_s(entry.timeout), {tool: timeout_s(written) for tool, written in entry.tool_timeouts.items()}
    if entry.url is not None:
        breaker = entry.down_after, span_s(entry.down_for)
        return HttpServer(name, entry.url, entry.transport, entry.headers, *waits, entry.pin, *breaker)
    return StdioServer(name, tuple(entry.command or ()), entry.env, (folder / entry.cwd).absolute(), *waits, entry.pin)


def _may_hold_secrets(server: Server) -> bool:
    match server:
        case HttpServer():
            return bool(server.headers)
        case StdioServer():
            return bool(server.env)
        case _:
            assert_never(server)


def _grant(entry: GrantEntry) -> Grant:
    return Grant(
        label=entry.label,
        server=entry.server,
        policy=entry.policy,
        token_sha256=scalars.sha256_digest(entry.token_sha256) if entry.token_sha256 is not None else None,
        expires_ns=scalars.instant_ns(entry.expires) if entry.expires is not None else None,
    )
