"""The gateway's settings, typed. Only `app` and `cli` read them; everyone else is given plain values.

A policy is carried as a document: what it means is the policy layer's to say.
"""

from pathlib import Path

import msgspec

from gateway.config_file import ConfigFile, GrantEntry, ServerEntry, config_faults, policy_file, timeout_s
from gateway.documents import Document, decode, format_of, read_document
from gateway.errors import DocumentError, Problem
from gateway.reading import scalars
from gateway.source_files import read_source


class Address(msgspec.Struct, frozen=True):
    """Where a listener binds. Port 0 lets the system choose."""

    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int


class Server(msgspec.Struct, frozen=True):
    """One MCP server."""

    name: str
    url: str
    headers: dict[str, str]
    """Sent with every request to the server, our credential among them."""
    timeout_s: float

    def __repr__(self) -> str:
        # The values of headers are credentials: they must not reach a log by way of a repr.
        return f"Server(name={self.name!r}, url={self.url!r}, headers={list(self.headers)})"


class Grant(msgspec.Struct, frozen=True):
    """A labelled bearer token on one server."""

    label: str
    server: str
    policy: str | None
    """The name of a policy; None denies everything."""
    token_sha256: bytes
    expires_ns: int | None
    """UTC since 1970; None never expires."""


class Config(msgspec.Struct, frozen=True):
    """Everything a configuration file says, checked: every name used in it is defined in it."""

    listen: Address
    admin_listen: Address
    state_dir: Path
    servers: dict[str, Server]
    policies: dict[str, Document]
    grants: tuple[Grant, ...]
    allowed_hosts: tuple[str, ...]
    """Hosts accepted beyond the listener's own, as Host headers write them: small letters, no port."""
    allowed_origins: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What is unwise but not wrong, in sentences for the operator."""


def load_config(path: Path) -> Config:
    """Read a configuration file and the policy files it names, which are relative to it.

    Raises DocumentError with every mistake in all of them. Policies are read, not compiled.
    """
    source = read_source(path)
    config = build_config(read_document(source.text, str(path), format_of(path.name)), path.parent)
    if source.readable_by_others and any(server.headers for server in config.servers.values()):
        warning = f"{path}: holds headers for a server and every user can read it; run `chmod o-r {path}`"
        config = msgspec.structs.replace(config, warnings=(warning,))
    return config


def build_config(document: Document, folder: Path) -> Config:
    """The settings that a document holds, its relative paths taken from `folder`. Raises as `load_config`."""
    file = decode(document, ConfigFile)
    problems = document.problems(config_faults(file))
    policies: dict[str, Document] = {}
    for name, entry in file.policies.items():
        try:
            policies[name] = _policy(document, name, policy_file(entry), folder)
        except DocumentError as error:
            problems += error.problems
    if problems:
        raise DocumentError(problems)
    return Config(
        listen=Address(*scalars.host_port(file.listen)),
        admin_listen=Address(*scalars.host_port(file.admin.listen)),
        state_dir=folder / file.state_dir,
        servers={name: _server(name, entry) for name, entry in file.servers.items()},
        policies=policies,
        grants=tuple(_grant(entry) for entry in file.grants),
        allowed_hosts=tuple(map(scalars.host_name, file.allowed_hosts)),
        allowed_origins=tuple(map(scalars.origin, file.allowed_origins)),
    )


def _policy(document: Document, name: str, file: str | None, folder: Path) -> Document:
    if file is None:
        return document.at("policies", name)
    path = folder / file
    try:
        format, source = format_of(path.name), read_source(path)
    except DocumentError as error:
        place = document.place(("policies", name, "file"))
        raise DocumentError([Problem(place, str(problem)) for problem in error.problems]) from None
    return read_document(source.text, str(path), format)


def _server(name: str, entry: ServerEntry) -> Server:
    return Server(name=name, url=entry.url, headers=entry.headers, timeout_s=timeout_s(entry.timeout))


def _grant(entry: GrantEntry) -> Grant:
    return Grant(
        label=entry.label,
        server=entry.server,
        policy=entry.policy,
        token_sha256=scalars.sha256_digest(entry.token_sha256),
        expires_ns=scalars.instant_ns(entry.expires) if entry.expires is not None else None,
    )
