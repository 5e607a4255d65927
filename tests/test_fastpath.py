"""Which core is chosen, and what it offers."""

import ast
import runpy
import sys

import pytest

import gateway
from gateway import fastpath
from gateway.errors import GatewayError
from tests.support.contracts import declared

MODULES = ["_fastpath", "_matching", "_scan"]


def chosen_now():
    """What a fresh start would choose; the module that everybody shares stays as it is."""
    return runpy.run_path(fastpath.__file__)["IMPLEMENTATION"]


@pytest.fixture(params=MODULES)
def no_extension(request, monkeypatch):
    """One of the extensions cannot be imported."""
    monkeypatch.setitem(sys.modules, f"gateway.{request.param}", None)
    monkeypatch.delattr(gateway, request.param, raising=False)


def test_the_compiled_core_is_the_one_to_use(monkeypatch):
    """Nothing has to be set for it."""
    monkeypatch.delenv("GATEWAY_NO_EXTENSIONS", raising=False)
    assert chosen_now() == "cython"


def test_the_plain_core_is_used_when_asked_for(monkeypatch):
    """The setting holds even where the extension is there."""
    monkeypatch.setenv("GATEWAY_NO_EXTENSIONS", "1")
    assert chosen_now() == "python"


def test_the_plain_core_needs_no_extension(monkeypatch, no_extension):
    """Without a compiler the gateway runs, if told so."""
    monkeypatch.setenv("GATEWAY_NO_EXTENSIONS", "1")
    assert chosen_now() == "python"


@pytest.mark.parametrize("setting", ["", "0", "yes"])
def test_a_missing_extension_stops_the_start(monkeypatch, no_extension, setting):
    """Only the setting 1 allows to go on without; the message says what can be done."""
    monkeypatch.setenv("GATEWAY_NO_EXTENSIONS", setting)
    with pytest.raises(GatewayError, match=r"make build.*C compiler.*GATEWAY_NO_EXTENSIONS=1"):
        chosen_now()


def contract_names():
    """Every public name that the contracts define."""
    for node in [node for module in MODULES for node in declared(module, ast.stmt)]:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name


@pytest.mark.parametrize("name", list(contract_names()))
def test_every_name_of_the_contracts_is_offered(name):
    """What the contracts promise can be had from `gateway.fastpath`."""
    assert hasattr(fastpath, name)
