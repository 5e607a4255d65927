"""The two cores. A test that takes `core` or `scanner` runs on both; a missing extension is an error, never a skip."""

from types import ModuleType, SimpleNamespace

import pytest

from gateway import _scan, _scan_py
from tests.support.cores import COMPILED, PLAIN


@pytest.fixture(params=[COMPILED, PLAIN], ids=["cython", "python"], scope="session")
def core(request: pytest.FixtureRequest) -> SimpleNamespace:
    """One implementation of `gateway/_matching.pyi` and `gateway/_fastpath.pyi`."""
    return request.param


@pytest.fixture(params=[_scan, _scan_py], ids=["cython", "python"], scope="session")
def scanner(request: pytest.FixtureRequest) -> ModuleType:
    """One implementation of `gateway/_scan.pyi`."""
    return request.param
