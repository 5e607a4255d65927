"""`gateway check`: one line for what is right, every problem for what is not."""

import argparse
import io
import json
import sys
from pathlib import Path

import pytest

from gateway.cli import check

POLICY = """\
{
  "version": "1",
  "default": "deny",
  "tools": {
    "cancel_task": {
      "limits": [{"counter": "cancel_task_rate", "window": "minute", "max": 10, "scope": "grant"}]
    }
  }
}
"""
CONFIG = """\
servers: {a: {url: 'http://127.0.0.1:9090/mcp'}}
policies: {one: {file: one.json}, two: {file: two.json}}
"""
INTERCEPT = """\
version: "1"
tools:
  a:
    rules:
      - {name: slow, rate_limit: 5/hour, on_deny: "Langsam, bitte \u2013 danke"}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Work in an empty folder; returns a function that writes a trusted file there."""
    monkeypatch.chdir(tmp_path)

    def write_file(name, text, mode=0o600):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)

    return write_file


def run(*files):
    """The exit code of `gateway check FILES`."""
    parser = argparse.ArgumentParser()
    check.add_parser(parser.add_subparsers())
    return check.run(parser.parse_args(["check", *files]))


def test_a_right_policy_is_summed_up(write, capsys):
    """A policy that compiles gives one line and exit code 0."""
    write("one.json", POLICY)
    assert run("one.json") == 0
    assert capsys.readouterr() == ("ok: one.json: default deny, 1 tool, 1 limit\n", "")


def test_a_right_configuration_is_summed_up(write, capsys):
    """A configuration is checked with all its policies."""
    write("one.json", POLICY)
    write("two.json", POLICY)
    write("gateway.yaml", CONFIG)
    assert run("gateway.yaml") == 0
    assert capsys.readouterr() == ("ok: gateway.yaml: 1 server, 2 policies, 0 grants\n", "")


def test_every_problem_of_every_file_is_printed(write, capsys):
    """A wrong file does not hide the next one, nor what is right."""
    write("one.json", POLICY.replace('"deny"', '"denny"').replace("limits", "limit"))
    write("two.json", "{")
    write("three.json", POLICY)
    assert run("one.json", "two.json", "missing.json", "three.json") == 1
    out, err = capsys.readouterr()
    assert out == "ok: three.json: default deny, 1 tool, 1 limit\n"
    places = [line.rsplit(" ", 1)[0].split(": ")[0] for line in err.splitlines()]
    assert places == ["one.json:3:3", "one.json:6:7", "two.json:1:2", "missing.json"]


def test_problems_in_the_policies_of_a_configuration(write, capsys):
    """Every policy that a configuration names is compiled, and each problem has its own file."""
    write("one.json", POLICY.replace('"max": 10', '"max": 0'))
    write("two.json", POLICY.replace('"version": "1"', '"version": "7"'))
    write("gateway.yaml", CONFIG)
    assert run("gateway.yaml") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(":")[0] for line in err.splitlines()] == ["one.json", "two.json"]


def test_a_mistake_in_the_configuration_hides_none_in_its_policies(write, capsys):
    """Problems come file by file, each file from top to bottom, even where nothing tells of servers."""
    write("one.json", POLICY.replace('"max": 10', '"max": 0').replace('"minute"', '"fortnight"'))
    write("gateway.yaml", "grants: [{label: a, token_sha256: ab, server: b}]\npolicies: {one: {file: one.json}}\n")
    assert run("gateway.yaml") == 1
    places = [" ".join(line.split(": ")[:2]) for line in capsys.readouterr().err.splitlines()]
    assert places == [
        "gateway.yaml:1:1 the field `servers` is missing",
        "gateway.yaml:1:21 /grants/0/token_sha256",
        "gateway.yaml:1:39 /grants/0/server",
        "one.json:6:50 /tools/cancel_task/limits/0/window",
        "one.json:6:73 /tools/cancel_task/limits/0/max",
    ]


def test_a_warning_does_not_fail(write, capsys):
    """What is unwise is said on stderr, and the file still passes."""
    write("gateway.yaml", "servers: {a: {url: 'http://127.0.0.1:1', headers: {X-Api-Key: x}}}", 0o644)
    assert run("gateway.yaml") == 0
    assert capsys.readouterr().err.startswith("warning: gateway.yaml: ")


@pytest.mark.parametrize("text", ["[]", "1", '{"rules": []}'])
def test_a_document_of_another_kind_is_refused(write, capsys, text):
    """What is neither a policy nor a configuration is told what either would have."""
    write("other.yaml", text)
    assert run("other.yaml") == 1
    assert "neither a policy (it has `version`) nor a configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (POLICY.encode(), 0, "ok: -: default deny, 1 tool, 1 limit"),
        (b'version: "1"\ndefault: allow\n', 0, "ok: -: default allow, 0 tools, 0 limits"),
        (b"servers: {a: {url: 'http://127.0.0.1:1'}}", 0, "ok: -: 1 server, 0 policies, 0 grants"),
        (b'{"version": "1", "default": "deny",}', 1, "<stdin>:1:35: remove this comma"),
        (b"a: {limits: []}", 0, "ok: -: default deny, 1 tool, 0 limits"),
        (b"\xff", 1, "<stdin>: is not UTF-8"),
    ],
)
def test_standard_input(write, monkeypatch, capsys, content, code, said):
    """`-` reads JSON or YAML from standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("-") == code
    assert said in "".join(capsys.readouterr())


def test_every_dialect_is_summed_up(write, capsys):
    """A policy in another dialect passes as what it becomes in version 1."""
    write("intercept.yaml", INTERCEPT)
    assert run("intercept.yaml") == 0
    assert capsys.readouterr() == ("ok: intercept.yaml: default allow, 1 tool, 1 limit\n", "")


def test_a_policy_is_printed_in_version_1(write, capsys):
    """What is printed is version 1 as JSON, and prints itself."""
    write("intercept.yaml", INTERCEPT)
    assert run("--print", "intercept.yaml") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)["tools"]["a"]["limits"] == [
        {
            "counter": "a._rate_hour",
            "window": "hour",
            "max": 5,
            "scope": "grant",
            "algorithm": "fixed_window",
            "on_deny": "Langsam, bitte \u2013 danke",
        }
    ]
    write("printed.json", out)
    assert run("--print", "printed.json") == 0
    assert capsys.readouterr() == (out, "")


def test_the_policies_of_a_configuration_are_printed_by_name(write, capsys):
    """The printed mapping is what the configuration could have under `policies`."""
    write("one.json", POLICY)
    write("two.yaml", INTERCEPT)
    write("gateway.yaml", CONFIG.replace("two.json", "two.yaml"))
    assert run("--print", "gateway.yaml") == 0
    printed = json.loads(capsys.readouterr().out)
    expected = json.loads(POLICY)
    del expected["tools"]["cancel_task"]["limits"][0]["scope"]
    assert printed["one"] == expected, "what is the default anyway is left out"
    assert printed["two"]["default"] == "allow"
    write("printed.json", json.dumps({"servers": {"a": {"url": "http://127.0.0.1:9090/mcp"}}, "policies": printed}))
    assert run("printed.json") == 0


def test_nothing_is_printed_of_a_policy_with_problems(write, capsys):
    """What cannot be carried over is told, and no half of a policy appears."""
    write("intercept.yaml", INTERCEPT.replace("5/hour", "5/week"))
    assert run("--print", "intercept.yaml") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("intercept.yaml:5:22: /tools/a/rules/0/rate_limit: `5/week` is not a rate;")


UNWISE = POLICY.replace('"limits":', '"action": "deny", "limits":')


def test_what_is_unwise_is_a_warning(write, capsys):
    """With its place, on stderr; the exit code stays 0, unless --strict says otherwise."""
    write("one.json", UNWISE)
    assert run("one.json") == 0
    out, err = capsys.readouterr()
    assert out.startswith("ok: one.json: ")
    assert err.startswith("warning: one.json:6:")
    assert "/tools/cancel_task/action: denies every call" in err
    assert run("--strict", "one.json") == 1


def test_the_servers_tools_tell_more(write, capsys):
    """A name that the server does not have gets the nearest."""
    write("one.json", POLICY.replace('"cancel_task"', '"cancel_tusk"'))
    assert run("one.json", "--tools", "binassist") == 0
    assert "the server has no tool `cancel_tusk`; did you mean `cancel_task`?" in capsys.readouterr().err


def test_programs_get_problems_and_warnings(write, capsys):
    """File by file."""
    write("one.json", UNWISE)
    write("two.json", '{"version": "1", "default": "never"}')
    assert run("--json", "one.json", "two.json") == 1
    out, err = capsys.readouterr()
    good, bad = json.loads(out)
    assert err == ""
    assert (good["file"], good["ok"], len(good["warnings"])) == ("one.json", True, 1)
    assert (bad["ok"], bad["problems"][0]["place"]) == (False, "two.json:1:18: /default")


def test_the_recommended_policies_have_no_warnings(capsys):
    """What the project itself recommends is wise by its own lints."""
    folder = Path(__file__).parents[2] / "gateway" / "catalog" / "policies"
    files = [str(path) for path in folder.glob("*.json")]
    assert run("--strict", *files, "--tools", "binassist") == 0
    assert capsys.readouterr().err == ""
