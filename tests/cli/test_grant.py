"""`gateway grant new`: what it prints can be pasted, and is never printed twice."""

import argparse
import re
from pathlib import Path

import pytest

from gateway.cli import grant
from gateway.clock import ManualClock
from gateway.config import build_config
from gateway.documents import read_document
from gateway.errors import GatewayError
from gateway.reading.scalars import instant_ns
from gateway.tokens import token_digest

NOW = "2026-11-22T16:00:00Z"


def new_grant(label="alice-laptop", server="binassist", policy=None, expires=None):
    """What `gateway grant new` would show at a fixed time."""
    return grant.new_grant(label, server, policy, expires, clock=ManualClock(wall_ns=instant_ns(NOW)))


def pasted(shown, policies="{}"):
    """The grant that the gateway reads after the lines were pasted under `grants:`."""
    lines = "\n".join(line for line in shown.splitlines() if re.match(r"  - |    \w", line))
    text = f"servers: {{binassist: {{url: 'http://h'}}}}\npolicies: {policies}\ngrants:\n{lines}\n"
    [read] = build_config(read_document(text, "f", "yaml"), Path()).grants
    return read


@pytest.mark.parametrize("label", ["alice-laptop", "true", "12", 'Zoë: "x" #1, {y} \\ & *'])
def test_the_lines_can_be_pasted(label):
    """Whatever the label, the lines are read back as this grant, with the digest of the token shown."""
    shown = new_grant(label, policy="cancel-task", expires="30d")
    [token] = set(re.findall(r"gw_\w+", shown))
    read = pasted(shown, "{cancel-task: {version: '1', default: deny}}")
    assert (read.label, read.server, read.policy) == (label, "binassist", "cancel-task")
    assert read.token_sha256 == token_digest(token)
    assert read.expires_ns == instant_ns("2026-12-22T16:00:00Z")


def test_the_client_header_is_shown():
    """The last line is what an agent sends."""
    assert re.fullmatch(r"  Authorization: Bearer gw_\w{6}_\w{49}", new_grant().splitlines()[-1])


def test_a_grant_without_a_policy_is_pointed_out():
    """Without a policy everything is denied, which one should know."""
    shown = new_grant()
    assert "Without a `policy` every call of this grant is denied." in shown
    assert pasted(shown).policy is None
    assert pasted(shown).expires_ns is None
    assert "Without" not in new_grant(policy="p")


def test_expiry_may_be_a_time():
    """An RFC 3339 time of any offset is shown in UTC."""
    assert 'expires: "2027-06-30T00:00:00Z"' in new_grant(expires="2027-06-30T02:00:00+02:00")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label": "a\nb"}, "LABEL: must be 1 to 64 printable"),
        ({"server": "A"}, "--server: must be 1 to 64 small letters"),
        ({"policy": ""}, "--policy: must be 1 to 64 printable"),
        (
            {"expires": "next-week"},
            '--expires: "next-week" is neither a duration, such as 30d or 12h, nor a time, such as',
        ),
        ({"expires": "-5d"}, '--expires: "-5d" is neither a duration'),
        ({"expires": "0s"}, "--expires: 0s has passed"),
        ({"expires": "2027-06-30"}, '--expires: "2027-06-30" is not a time'),
        ({"expires": NOW}, f"--expires: {NOW} has passed"),
        ({"expires": "99999999999d"}, "--expires: that is beyond the year 9999"),
    ],
)
def test_what_no_configuration_would_take_is_refused(arguments, message):
    """A wrong argument is named, and no token is made."""
    with pytest.raises(GatewayError) as refused:
        new_grant(**arguments)
    assert str(refused.value).startswith(message)


def test_the_command_prints_a_grant(capsys):
    """`gateway grant new LABEL` prints on stdout and succeeds."""
    parser = argparse.ArgumentParser()
    grant.add_parser(parser.add_subparsers())
    assert grant.run(parser.parse_args(["grant", "new", "bob", "--server", "s", "--policy", "p"])) == 0
    out, err = capsys.readouterr()
    assert 'label: "bob"' in out
    assert err == ""
