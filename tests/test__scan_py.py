"""The plain scan keeps the contract to the letter. What it does is proven in tests/differential."""

import ast
import inspect

import pytest

from gateway import _scan, _scan_py
from tests.support.contracts import declared, parameters


@pytest.mark.parametrize("name", [node.target.id for node in declared("_scan", ast.AnnAssign)])
def test_constants_have_one_value(name):
    """A problem and a bound are the same plain number in both."""
    compiled, plain = getattr(_scan, name), getattr(_scan_py, name)
    assert compiled == plain
    assert type(compiled) is type(plain) is int


@pytest.mark.parametrize("function", declared("_scan", ast.FunctionDef), ids=lambda node: node.name)
def test_functions_take_what_the_contract_says(function):
    """Same parameters, in the same order."""
    assert list(inspect.signature(getattr(_scan_py, function.name)).parameters) == parameters(function)
