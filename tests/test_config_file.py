"""Every check on a configuration file: one mistake, one fault at its place."""

import msgspec
import pytest

from gateway.config_file import config_faults, is_reference, keep_alive_s, timeout_s
from gateway.documents import Document

DIGEST = "ab" * 32
RIGHT = {
    "listen": "0.0.0.0:8080",
    "servers": {
        "binassist": {"url": "http://127.0.0.1:9090/mcp", "headers": {"X-Api-Key": "a b"}},
        "local": {"command": ["./server", "--stdio"], "env": {"KEY": "k"}, "cwd": "there", "timeout": "5s"},
    },
    "admin": {"tokens": [{"label": "zoe", "token_sha256": "12" * 32}]},
    "approvals": {"webhook": {"url": "http://h", "secret": "s" * 16}},
    "policies": {"cancel-task": {"file": "p.json"}},
    "grants": [
        {"label": "alice", "server": "binassist", "policy": "cancel-task", "token_sha256": DIGEST},
        {"label": "bob", "server": "binassist", "token_sha256": "cd" * 32, "expires": "2027-06-30T00:00:00Z"},
    ],
    "allowed_hosts": ["gateway.example"],
    "allowed_origins": ["https://console.example"],
}


def faults(changes):
    """The faults of the right file after some values were set, each by its path."""
    value = msgspec.json.decode(msgspec.json.encode(RIGHT))
    for path, new in changes.items():
        *parents, last = path
        part = value
        for step in parents:
            part = part.setdefault(step, {}) if isinstance(part, dict) else part[step]
        part[last] = new
    return list(config_faults(Document(value, "gateway.yaml")))


def test_a_right_file_has_no_faults():
    """The file that the cases below spoil is itself in order."""
    assert faults({}) == []


SERVER = ("servers", "binassist")
STDIO = ("servers", "local")
GRANT = ("grants", 1)
HEADERS = (*SERVER, "headers")
WEBHOOK = ("approvals", "webhook")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("listen",), "8080", "not host:port"),
        (("admin", "listen"), "0.0.0.0", "not host:port"),
        (("admin", "listen"), "0.0.0.0:9901", "must be loopback"),
        (("admin", "listen"), "admin.example:9901", "must be loopback"),
        (("state_dir",), "", "path of a directory"),
        ((*SERVER, "url"), "ftp://h", "http:// or https://"),
        (("keep_alive",), "often", "not a duration"),
        (("keep_alive",), 0, "more than zero"),
        (("keep_alive",), "2h", "at most 1h"),
        (("bounds", "drain"), "2h", "at most 1h"),
        (("bounds", "wait"), "often", "not a duration"),
        ((*SERVER, "down_for"), "2h", "at most 1h"),
        ((*STDIO, "down_after"), 3, "goes with `url`"),
        ((*STDIO, "down_for"), "1s", "goes with `url`"),
        ((*SERVER, "timeout"), "soon", "not a duration"),
        ((*SERVER, "timeout"), "25h", "at most 24h"),
        ((*SERVER, "timeout"), 0, "more than zero"),
        ((*SERVER, "timeout"), -1.5, "more than zero"),
        ((*SERVER, "command"), ["server"], "has a `url` already"),
        ((*SERVER, "env"), {}, "goes with `command`"),
        ((*SERVER, "cwd"), "there", "goes with `command`"),
        ((*STDIO, "headers"), {"X-B": "1"}, "goes with `url`"),
        ((*STDIO, "transport"), "sse", "goes with `url`"),
        ((*STDIO, "command"), [], "names no program"),
        ((*STDIO, "command"), ["", "a"], "names no program"),
        ((*STDIO, "command", 1), "a\0b", "NUL"),
        ((*STDIO, "env", "A"), "a\0b", "NUL"),
        ((*STDIO, "env", "A=B"), "1", "not the name of a variable"),
        ((*STDIO, "env", ""), "1", "not the name of a variable"),
        ((*STDIO, "cwd"), "", "path of a directory"),
        ((*HEADERS, "X Y"), "1", "not the name of a header"),
        ((*HEADERS, ""), "1", "not the name of a header"),
        ((*HEADERS, "Host"), "1", "the gateway sets this header itself"),
        ((*HEADERS, "Content-Length"), "1", "the gateway sets this header itself"),
        ((*HEADERS, "Transfer-Encoding"), "chunked", "the gateway sets this header itself"),
        ((*HEADERS, "Mcp-Session-Id"), "1", "the gateway sets this header itself"),
        ((*HEADERS, "X-B"), "a\r\nHost: x", "visible ASCII"),
        ((*HEADERS, "X-B"), " a", "visible ASCII"),
        ((*HEADERS, "X-B"), "", "visible ASCII"),
        ((*HEADERS, "X-B"), "é", "visible ASCII"),
        ((*HEADERS, "x-api-key"), "1", "written twice"),
        (("policies", "p", "file"), 1, "path of a policy file"),
        ((*GRANT, "label"), "a\nb", "printable"),
        ((*GRANT, "token_sha256"), "ab", "SHA-256"),
        ((*GRANT, "server"), "binasist", "no server has this name; did you mean `binassist`?"),
        ((*GRANT, "policy"), "x", "no policy has this name; known here: cancel-task"),
        ((*GRANT, "expires"), "2027-06-30T00:00:00", "no offset"),
        (("admin", "tokens", 0, "label"), "a\nb", "printable"),
        (("admin", "tokens", 0, "token_sha256"), "ef", "SHA-256"),
        ((*WEBHOOK, "url"), "ftp://h", "http:// or https://"),
        ((*WEBHOOK, "secret"), "s" * 15, "at least 16 characters"),
        (WEBHOOK, {"url": "http://h"}, "exactly one of `secret` and `secret_file`"),
        (WEBHOOK, {"url": "http://h", "secret": "s" * 16, "secret_file": "f"}, "exactly one"),
        (("allowed_hosts", 0), "http://h", "not a host"),
        (("allowed_hosts", 0), "h:80", "write the host alone"),
        (("allowed_origins", 0), "https://h/", "not an origin"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_where_it_is(path, value, message):
    """One wrong value gives one fault, at its place, that says what would mend it."""
    [(where, said)] = faults({path: value})
    assert where == path
    assert message in said


def test_names_are_checked_too():
    """A name of a server or a policy that cannot be shown everywhere is refused."""
    found = faults({("servers", "A b"): {"url": "http://h"}, ("policies", "a\nb"): {}})
    assert [path for path, _ in found] == [("servers", "A b"), ("policies", "a\nb")]


def test_a_file_without_servers_is_refused():
    """A gateway with nothing behind it is a mistake."""
    assert (("servers",), "names no server; add one with its `url`, or the `command` that starts it") in faults(
        {("servers",): {}}
    )


@pytest.mark.parametrize("entry", [{}, {"timeout": "5s"}, {"url": None}, {"command": None}])
def test_a_server_without_a_way_to_it_is_refused(entry):
    """Nothing that is written as nothing counts."""
    message = "needs the `url` where it listens, or the `command` that starts it"
    assert faults({("servers", "binassist"): entry}) == [(("servers", "binassist"), message)]


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.1.2:8080", "gateway.example:8080"])
def test_nothing_is_open_to_others_without_a_grant(listen):
    """Without a grant only loopback is accepted: nobody could sign in, so it is a mistake."""
    [(path, message)] = faults({("listen",): listen, ("grants",): []})
    assert path == ("listen",)
    assert "no grant" in message
    assert faults({("listen",): "[::1]:8080", ("grants",): []}) == []


def test_the_two_listeners_are_apart():
    """Agents and people never share an address, unless the system chooses the ports."""
    [(path, _)] = faults({("listen",): "127.0.0.1:80", ("admin", "listen"): "127.0.0.1:80"})
    assert path == ("admin", "listen")
    assert faults({("listen",): "127.0.0.1:0", ("admin", "listen"): "127.0.0.1:0"}) == []


def test_a_wrong_type_hides_nothing():
    """Every value is checked on its own: what has not even its type is passed over, and nothing beside it."""
    found = faults(
        {
            ("listen",): 8080,
            ("admin", "listen"): "0.0.0.0:9901",
            (*SERVER, "url"): 7,
            (*SERVER, "timeout"): "25h",
            (*HEADERS, "X-B"): " a",
            (*HEADERS, "X-Number"): 1,
            ("policies", "cancel-task"): "p.json",
            (*GRANT, "label"): 7,
            (*GRANT, "token_sha256"): "ab",
            (*GRANT, "server"): "binasist",
            (*GRANT, "policy"): "cancel-tusk",
            ("allowed_hosts",): [1, "h:80"],
        }
    )
    assert {path for path, _ in found} == {
        ("admin", "listen"),
        (*SERVER, "timeout"),
        (*HEADERS, "X-B"),
        (*GRANT, "token_sha256"),
        (*GRANT, "server"),
        (*GRANT, "policy"),
        ("allowed_hosts", 1),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {("servers",): []},
        {("policies",): 1},
        {("grants",): {"alice": {}}},
        {("grants", 0): "alice"},
        {("admin",): "127.0.0.1:9901"},
        {("servers", "binassist"): "http://h"},
        {("servers", "binassist", "timeout"): None},
        {("allowed_origins",): "https://h/"},
    ],
)
def test_no_guess_is_made_from_a_wrong_type(changes):
    """Whether a name is defined, say, is not judged where the definitions cannot be read."""
    assert faults(changes) == []


def test_any_document_can_be_checked():
    """What is not even a configuration raises nothing."""
    assert list(config_faults(Document([1], "gateway.yaml"))) == []


def test_twins_name_each_other():
    """A label or a token that two grants share is told at both."""
    assert faults({(*GRANT, "label"): "alice", (*GRANT, "token_sha256"): DIGEST.upper()}) == [
        (("grants", 0, "label"), "also written at /grants/1/label; each needs its own"),
        (("grants", 1, "label"), "also written at /grants/0/label; each needs its own"),
        (("grants", 0, "token_sha256"), "also written at /grants/1/token_sha256; each needs its own"),
        (("grants", 1, "token_sha256"), "also written at /grants/0/token_sha256; each needs its own"),
    ]


def test_nobody_can_approve_their_own_calls():
    """An admin token is no grant's, whatever the labels are; two admins have tokens and labels of their own."""
    tokens = [{"label": "alice", "token_sha256": DIGEST}, {"label": "alice", "token_sha256": "ef" * 32}]
    assert faults({("admin", "tokens"): tokens}) == [
        (("admin", "tokens", 0, "label"), "also written at /admin/tokens/1/label; each needs its own"),
        (("admin", "tokens", 1, "label"), "also written at /admin/tokens/0/label; each needs its own"),
        (("admin", "tokens", 0, "token_sha256"), "also written at /grants/0/token_sha256; each needs its own"),
        (("grants", 0, "token_sha256"), "also written at /admin/tokens/0/token_sha256; each needs its own"),
    ]


def test_a_policy_is_a_reference_only_if_it_says_nothing_else():
    """`file` alone refers to a file; with other fields, or without it, the entry is the policy itself."""
    assert is_reference({"file": "p.json"})
    assert not any(map(is_reference, [{"file": "p.json", "version": "1"}, {"version": "1"}, {}, "file"]))


def test_time_outs():
    """A number is seconds; a text carries its unit."""
    assert (timeout_s(2.5), timeout_s("500ms"), timeout_s("24h")) == (2.5, 0.5, 86400)
    assert (keep_alive_s(2.5), keep_alive_s("500ms"), keep_alive_s("1h")) == (2.5, 0.5, 3600)
