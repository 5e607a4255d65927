"""Plain matching keeps the contract to the letter. What it does is proven in tests/differential."""

import ast
import inspect

import pytest

from gateway import _matching, _matching_py
from tests.support.contracts import declared, parameters


@pytest.mark.parametrize("name", [node.target.id for node in declared("_matching", ast.AnnAssign)])
def test_constants_have_one_value(name):
    """A code means the same in both cores, and is a plain number in both."""
    compiled, plain = getattr(_matching, name), getattr(_matching_py, name)
    assert compiled == plain
    assert type(compiled) is type(plain) is int


@pytest.mark.parametrize("function", declared("_matching", ast.FunctionDef), ids=lambda node: node.name)
def test_functions_take_what_the_contract_says(function):
    """Same parameters, in the same order."""
    assert list(inspect.signature(getattr(_matching_py, function.name)).parameters) == parameters(function)


@pytest.mark.parametrize("declaration", declared("_matching", ast.ClassDef), ids=lambda node: node.name)
def test_classes_offer_what_the_contract_says(declaration):
    """Same methods with the same parameters, and nothing public besides."""
    plain = getattr(_matching_py, declaration.name)
    methods = {node.name: parameters(node) for node in declaration.body if isinstance(node, ast.FunctionDef)}
    assert list(inspect.signature(plain).parameters) == methods.pop("__new__")[1:]
    for name, names in methods.items():
        assert list(inspect.signature(getattr(plain, name)).parameters) == names
    assert {name for name in vars(plain) if not name.startswith("_")} <= methods.keys()
