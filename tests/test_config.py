"""Settings as the gateway gets them, and configurations that it refuses."""

import re
from pathlib import Path

import msgspec
import pytest

from gateway.config import (
    Address,
    AdminToken,
    Grant,
    HttpServer,
    StdioServer,
    Webhook,
    build_config,
    load_config,
    source_paths,
)
from gateway.documents import read_document
from gateway.errors import DocumentError

CONFIG = f"""\
listen: "[::1]:8080"
admin:
  listen: localhost:0
state_dir: var/state
servers:
  binassist:
    url: http://127.0.0.1:9090/mcp
    headers: {{X-Api-Key: "ours, to the server"}}
    timeout: 2m
policies:
  from-file: {{file: policies/one.json}}
  inline: {{version: "1", default: deny}}
grants:
  - label: alice-laptop
    server: binassist
    policy: from-file
    token_sha256: {"ab" * 32}
    expires: 2027-06-30T00:00:00Z
  - {{label: bob, server: binassist, token_sha256: {"cd" * 32}}}
allowed_hosts: [Gateway.example]
allowed_origins: [https://console.example]
"""


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """Write a file that the gateway would trust, unless the mode says otherwise."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def file(tmp_path):
    """A right configuration with its policy file beside it."""
    write(tmp_path / "policies/one.json", '{"version": "1", "default": "allow"}')
    return write(tmp_path / "gateway.yaml", CONFIG)


def problems(path):
    """The lines that a person sees, with the folder cut away."""
    with pytest.raises(DocumentError) as refused:
        load_config(path)
    return str(refused.value).replace(f"{path.parent}/", "").splitlines()


def test_a_configuration_becomes_values(file, tmp_path):
    """Everything written in the file arrives, in types and units of its own."""
    config = load_config(file)
    assert config.listen == Address("::1", 8080)
    assert config.admin_listen == Address("localhost", 0)
    assert config.state_dir == tmp_path / "var/state"
    assert config.servers == {
        "binassist": HttpServer(
            name="binassist",
            url="http://127.0.0.1:9090/mcp",
            transport="streamable-http",
            headers={"X-Api-Key": "ours, to the server"},
            timeout_s=120,
            tool_timeouts_s={},
        )
    }
    assert config.grants == (
        Grant("alice-laptop", "binassist", "from-file", b"\xab" * 32, 1814313600 * 10**9),
        Grant("bob", "binassist", None, b"\xcd" * 32, None),
    )
    assert config.allowed_hosts == ("gateway.example",)
    assert config.allowed_origins == ("https://console.example",)
    assert (config.admin_tokens, config.pending_per_grant, config.webhook) == ((), 20, None)
    assert config.keep_alive_s == 15
    assert config.warnings == ()


APPROVALS = f"""\
approvals:
  pending_per_grant: 5
  webhook: {{url: "http://127.0.0.1:1/hook?key=hidden", secret_file: hook.secret}}
admin:
  listen: localhost:0
  tokens: [{{label: zoe, token_sha256: {"ef" * 32}}}]
"""


def test_who_decides_and_who_is_told(file, tmp_path):
    """The secret comes from its file, without the line's end, and shows nowhere."""
    write(file, APPROVALS + CONFIG.replace("admin:\n  listen: localhost:0\n", ""))
    secret = write(tmp_path / "hook.secret", "0123456789abcdef\n")
    config = load_config(file)
    assert config.admin_tokens == (AdminToken("zoe", b"\xef" * 32),)
    assert config.pending_per_grant == 5
    assert config.webhook == Webhook("http://127.0.0.1:1/hook?key=hidden", b"0123456789abcdef", False)
    assert not {"hidden", "0123456789abcdef"} & set(re.findall(r"\w+", repr(config)))
    assert config.warnings == ()
    secret.chmod(0o644)
    assert load_config(file).warnings == (
        f"{secret}: holds the secret of a webhook and every user can read it; run `chmod o-r {secret}`",
    )
    for text, message in (("short", "at least 16 characters"), (None, "does not exist")):
        secret.unlink()
        if text:
            write(secret, text)
        with pytest.raises(DocumentError, match=f"/approvals/webhook/secret_file: .*{message}"):
            load_config(file)


def test_a_secret_in_the_file_itself_is_warned_about(file):
    """Every user could sign messages with it."""
    write(file, 'approvals: {webhook: {url: "http://h", secret: 0123456789abcdef}}\n' + CONFIG, 0o644)
    [warning] = load_config(file).warnings
    assert "holds headers or variables for a server and the secret of a webhook" in warning
    file.chmod(0o600)
    assert load_config(file).webhook.secret == b"0123456789abcdef"


def test_a_server_of_the_old_transport(file):
    """It is named in the file; a transport that there is not is answered with those that there are."""
    text = file.read_text()
    file.write_text(text.replace("timeout: 2m", "transport: sse"))
    assert load_config(file).servers["binassist"].transport == "sse"
    file.write_text(text.replace("timeout: 2m", "transport: websocket"))
    with pytest.raises(DocumentError, match=r"/servers/binassist/transport: unknown value; known here: sse, stream"):
        load_config(file)


STDIO = """{command: [bin/server, --key=secret], env: {KEY: secret}, cwd: there, timeout: 5s}"""


def test_a_server_that_is_a_command(file, tmp_path):
    """Program and arguments as they are written, and where it runs, relative to the file."""
    write(file, CONFIG.replace("servers:\n", f"servers:\n  local: {STDIO}\n"))
    assert load_config(file).servers["local"] == StdioServer(
        name="local",
        command=("bin/server", "--key=secret"),
        env={"KEY": "secret"},
        folder=tmp_path / "there",
        timeout_s=5,
        tool_timeouts_s={},
    )


def test_credentials_do_not_show(file):
    """Whatever prints or logs a configuration never prints a header's value, an argument or a variable."""
    write(file, CONFIG.replace("servers:\n", f"servers:\n  local: {STDIO}\n"))
    shown = repr(load_config(file))
    assert "bin/server" in shown
    assert "ours, to the server" not in shown
    assert "secret" not in shown


def test_policies_are_read_wherever_they_are(file, tmp_path):
    """One in a file of its own and one in the configuration; both files are what the settings come from."""
    policies = load_config(file).policies
    assert {name: policy.default for name, policy in policies.items()} == {"from-file": "allow", "inline": "deny"}
    assert source_paths(file) == (file, tmp_path / "policies/one.json")
    file.write_text("servers: [")
    assert source_paths(file) == (file,)


def test_only_a_server_has_to_be_named():
    """Everything else has a default, and the defaults are loopback."""
    config = build_config(read_document('{"servers": {"a": {"url": "http://h"}}}', "f", "json"), Path("there"))
    assert config.listen == Address("127.0.0.1", 8080)
    assert config.admin_listen == Address("127.0.0.1", 9901)
    assert config.state_dir == Path("there/state")
    assert config.servers["a"].timeout_s == 120
    assert (config.policies, config.grants) == ({}, ())


def test_json_and_toml_say_the_same(tmp_path):
    """The three formats are three ways to write one configuration."""
    toml = write(
        tmp_path / "a.toml",
        f"""
servers.a.url = "http://h"
[[grants]]
label = "x"
server = "a"
token_sha256 = "{"ab" * 32}"
expires = 2027-06-30T00:00:00Z
""",
    )
    json = write(
        tmp_path / "a.json",
        '{"servers": {"a": {"url": "http://h"}}, "grants": [{"label": "x", "server": "a",'
        f' "token_sha256": "{"ab" * 32}", "expires": "2027-06-30T00:00:00Z"}}]}}',
    )
    assert msgspec.structs.replace(load_config(toml), source=json) == load_config(json)


def test_every_mistake_is_told_at_once(file, tmp_path):
    """Mistakes of type and of meaning, in the file, its policies and theirs, come file by file from top to bottom."""
    spoiled = CONFIG.replace("policy: from-file", "policy: from-fil").replace("label: bob", "label: alice-laptop")
    spoiled = spoiled.replace("default: deny", "default: no").replace("timeout: 2m", "timeout: [2m]")
    spoiled = spoiled.replace(
        "grants:", "  absent: {file: policies/none.json}\n  twin: {file: policies/one.json}\ngrants:"
    )
    write(file, spoiled)
    write(tmp_path / "policies/one.json", '{"version": "1", "tools": {"t": {"limits": {}}}, "hide": [""]}')
    absent = "policies/none.json: does not exist; correct the name, or put the file there"
    assert problems(file) == [
        "gateway.yaml:9:5: /servers/binassist/timeout: expected a number or text, got a list",
        "gateway.yaml:12:26: /policies/inline/default: unknown value; known here: allow, deny",
        f"gateway.yaml:13:12: /policies/absent/file: {absent}",
        "gateway.yaml:16:5: /grants/0/label: also written at /grants/1/label; each needs its own",
        "gateway.yaml:18:5: /grants/0/policy: no policy has this name; did you mean `from-file`?",
        "gateway.yaml:21:6: /grants/1/label: also written at /grants/0/label; each needs its own",
        "policies/one.json:1:1: the field `default` is missing",
        "policies/one.json:1:34: /tools/t/limits: expected a list, got a mapping",
        "policies/one.json:1:59: /hide/0: an empty name hides nothing; write a tool's name, or `*` for all",
    ]


def test_a_file_for_a_policy_is_named_by_text(file):
    """`file` with another value is one mistake, not a policy with many."""
    write(file, CONFIG.replace("policies/one.json", "1"))
    assert problems(file) == ["gateway.yaml:11:15: /policies/from-file/file: must be the path of a policy file"]


def test_unknown_fields_are_told_with_the_nearest_known_one(file):
    """A typing error is named with what was probably meant."""
    write(file, CONFIG.replace("state_dir", "state_dirs").replace("url:", "ulr:"))
    assert problems(file) == [
        "gateway.yaml:4:1: /state_dirs: unknown field; did you mean `state_dir`?",
        "gateway.yaml:6:3: /servers/binassist: needs the `url` where it listens, or the `command` that starts it",
        "gateway.yaml:7:5: /servers/binassist/ulr: unknown field; did you mean `url`?",
    ]


@pytest.mark.parametrize(
    ("text", "mode", "problem"),
    [
        ("{", 0o600, "policies/one.json:1:2: expected a field name in double quotes"),
        (
            "{}",
            0o660,
            "gateway.yaml:11:15: /policies/from-file/file: policies/one.json: can be changed by other users",
        ),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_refused(file, tmp_path, text, mode, problem):
    """A malformed policy is told at its own place, one that may not be trusted where it is named."""
    write(tmp_path / "policies/one.json", text, mode)
    [line] = problems(file)
    assert line.startswith(problem)


def test_a_policy_file_of_unknown_format_is_refused(file):
    """The suffix of a policy file must say its format."""
    write(file, CONFIG.replace("one.json", "one.txt"))
    [line] = problems(file)
    assert line.startswith("gateway.yaml:11:15: /policies/from-file/file: one.txt: the name must end in")


def test_a_configuration_that_others_can_change_is_refused(file):
    """Whoever can write the configuration could grant themselves everything."""
    file.chmod(0o664)
    assert problems(file) == ["gateway.yaml: can be changed by other users; run `chmod go-w gateway.yaml`"]


def test_secrets_that_everybody_can_read_are_warned_about(file):
    """Headers and variables for a server often hold a credential; without any there is nothing to warn of."""
    file.chmod(0o644)
    [warning] = load_config(file).warnings
    assert "chmod o-r" in warning
    harmless = CONFIG.replace('headers: {X-Api-Key: "ours, to the server"}', "headers: {}")
    write(file, harmless, 0o644)
    assert load_config(file).warnings == ()
    write(file, harmless.replace("servers:\n", f"servers:\n  local: {STDIO}\n"), 0o644)
    assert len(load_config(file).warnings) == 1


def test_a_tools_own_time_out_is_read_and_checked(file):
    """Durations as for the server; one that is none is named by its place."""
    text = file.read_text()
    file.write_text(text.replace("timeout: 2m", "timeout: 2m\n    tool_timeouts: {get_code: 500ms, slow: 90}"))
    assert load_config(file).servers["binassist"].tool_timeouts_s == {"get_code": 0.5, "slow": 90}
    file.write_text(text.replace("timeout: 2m", "timeout: 2m\n    tool_timeouts: {get_code: soon}"))
    with pytest.raises(DocumentError, match="/servers/binassist/tool_timeouts/get_code: "):
        load_config(file)


def test_a_grant_may_have_no_token(tmp_path):
    """It is then for stdio alone, and several may be so."""
    servers = "servers: {a: {url: 'http://127.0.0.1:1/mcp'}}\n"
    text = servers + "grants: [{label: one, server: a}, {label: two, server: a}]\n"
    config = load_config(write(tmp_path / "gateway.yaml", text))
    assert [(grant.label, grant.token_sha256) for grant in config.grants] == [("one", None), ("two", None)]


def test_a_policy_in_another_dialect_is_taken_where_policies_are(file):
    """In a file or in the configuration, and its mistakes have their places as it was written."""
    write(file.parent / "policies/one.json", '{"version": "1", "tools": {"a": {"rules": [{"rate_limit": "5/hour"}]}}}')
    file.write_text(CONFIG.replace('{version: "1", default: deny}', "{a: {rules: [{rate_limit: 5/hour}]}}"))
    assert set(load_config(file).policies) == {"from-file", "inline"}
    file.write_text(file.read_text().replace("5/hour", "5/week"))
    (problem,) = problems(file)
    assert problem.startswith("gateway.yaml:12:25: /policies/inline/a/rules/0/rate_limit: `5/week` is not a rate;")
