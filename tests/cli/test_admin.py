"""`gateway admin new`: what it prints can be pasted, and makes somebody an approver."""

import argparse
import re
from pathlib import Path

import pytest

from gateway.cli import admin
from gateway.config import build_config
from gateway.documents import read_document
from gateway.errors import GatewayError
from gateway.tokens import token_digest


def new(label: str) -> int:
    parser = argparse.ArgumentParser()
    admin.add_parser(parser.add_subparsers())
    return admin.run(parser.parse_args(["admin", "new", label]))


@pytest.mark.parametrize("label", ["zoe", "true", 'Zoë: "x" #1, {y} \\ & *'])
def test_the_lines_can_be_pasted(label: str, capsys: pytest.CaptureFixture[str]):
    """Whatever the label, they are read back as this person, with the digest of the token shown."""
    assert new(label) == 0
    shown = capsys.readouterr().out
    [token] = set(re.findall(r"gw_\w+", shown))
    pasted = shown[shown.index("  tokens:") : shown.index("The API takes")]
    config = build_config(read_document(f"servers: {{b: {{url: http://h}}}}\nadmin:\n{pasted}", "f", "yaml"), Path())
    [read] = config.admin_tokens
    assert (read.label, read.token_sha256) == (label, token_digest(token))
    assert shown.endswith(f"Authorization: Bearer {token}\n")


def test_a_label_that_no_configuration_would_take_is_refused():
    """No token is made."""
    with pytest.raises(GatewayError, match="LABEL: must be 1 to 64 printable"):
        new("a\nb")
