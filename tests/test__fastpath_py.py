"""The plain core keeps the contract to the letter. What it does is proven in tests/differential."""

import ast
import inspect
from pathlib import Path

import pytest

from gateway import _fastpath, _fastpath_py

CONTRACT = ast.parse(Path(_fastpath_py.__file__).with_name("_fastpath.pyi").read_text())
CLASSES = [node for node in CONTRACT.body if isinstance(node, ast.ClassDef)]
FUNCTIONS = [node for node in CONTRACT.body if isinstance(node, ast.FunctionDef)]
CONSTANTS = [node.target.id for node in CONTRACT.body if isinstance(node, ast.AnnAssign)]


def declared(function):
    """The names of the parameters that the contract gives a function."""
    return [argument.arg for argument in function.args.posonlyargs + function.args.args]


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_have_one_value(name):
    """A code means the same in both cores, and is a plain number in both."""
    compiled, plain = getattr(_fastpath, name), getattr(_fastpath_py, name)
    assert compiled == plain
    assert type(compiled) is type(plain) is int


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda node: node.name)
def test_functions_take_what_the_contract_says(function):
    """Same parameters, in the same order."""
    assert list(inspect.signature(getattr(_fastpath_py, function.name)).parameters) == declared(function)


@pytest.mark.parametrize("declaration", CLASSES, ids=lambda node: node.name)
def test_classes_offer_what_the_contract_says(declaration):
    """Same methods with the same parameters, and nothing public besides."""
    plain = getattr(_fastpath_py, declaration.name)
    methods = {node.name: declared(node) for node in declaration.body if isinstance(node, ast.FunctionDef)}
    assert list(inspect.signature(plain).parameters) == methods.pop("__new__")[1:]
    for name, parameters in methods.items():
        assert list(inspect.signature(getattr(plain, name)).parameters) == parameters
    assert {name for name in vars(plain) if not name.startswith("_")} <= methods.keys()
