"""The fuzz targets hold for their corpus, and notice what they claim to notice."""

import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import orjson
import pytest

from fuzz import events, headers, json_bodies, policies
from gateway.errors import GatewayError

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"
CASES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_claim_holds_for_its_corpus(path: Path):
    """What is in the corpus, once found or thought of, breaks no claim any more."""
    import_module(f"fuzz.{path.parent.name}").check(path.read_bytes())


@pytest.mark.parametrize("target", [events, headers, json_bodies, policies], ids=lambda target: target.__name__)
def test_every_target_has_a_claim_and_a_corpus(target: ModuleType):
    """A target says in its docstring what it claims, and begins from examples."""
    assert "\nClaim: " in (target.__doc__ or "")
    assert len(list((CORPUS / target.__name__.removeprefix("fuzz.")).iterdir())) >= 5


def test_a_lenient_reading_of_json_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A gateway that took what orjson takes would break the claim about bodies."""
    monkeypatch.setattr("gateway.mcp.strict_json.load", orjson.loads)
    with pytest.raises(AssertionError):
        json_bodies.check(b'{"id":18446744073709551616}')


def test_a_scan_that_differs_from_its_specification_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """Two cores that scan bytes differently break the claim about bodies."""
    monkeypatch.setattr("gateway._scan_py.MAX_DEPTH", 63)
    with pytest.raises(AssertionError):
        json_bodies.check(b"[" * 64)


def test_a_lost_event_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A reader that knows LF alone breaks the claim about events."""
    monkeypatch.setattr("gateway.mcp.sse._EVENT_END", re.compile(rb"\n\n"))
    with pytest.raises(AssertionError):
        events.check(b"\x00data: a\r\rdata: b\r\r")


def test_a_header_that_is_not_compared_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A comparison that lets everything pass breaks the claim about headers."""
    monkeypatch.setattr("gateway.mcp.headers.check", lambda *_: None)
    with pytest.raises(AssertionError):
        headers.check(b"Mcp-Method: tools/call\nMcp-Name: safe\n\ndanger")


def test_an_error_of_another_kind_is_noticed(monkeypatch: pytest.MonkeyPatch):
    """A loader that fails in any other way breaks the claim about policies."""

    def fail(_: object) -> None:
        raise GatewayError("something else")

    monkeypatch.setattr("fuzz.policies.load_policy", fail)
    with pytest.raises(GatewayError, match="something else"):
        policies.check(b'{"version":"1","default":"deny"}')
