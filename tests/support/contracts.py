"""The contracts of the core, its `.pyi` files, read as text: what the twins and `gateway.fastpath` are held to."""

import ast
from pathlib import Path
from typing import TypeVar

import gateway

Node = TypeVar("Node", bound=ast.stmt)


def declared(module: str, kind: type[Node]) -> list[Node]:
    """The declarations of one kind in the contract of `gateway/MODULE.pyx`."""
    contract = ast.parse(Path(gateway.__file__).with_name(f"{module}.pyi").read_text())
    return [node for node in contract.body if isinstance(node, kind)]


def parameters(function: ast.FunctionDef) -> list[str]:
    """The names of the parameters that a contract gives a function."""
    return [argument.arg for argument in function.args.posonlyargs + function.args.args]
