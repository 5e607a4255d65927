"""The two cores. A test that takes `core` or `scanner` runs on both; a missing extension is an error, never a skip."""

from types import ModuleType

import pytest

from gateway import _fastpath, _fastpath_py, _scan, _scan_py


@pytest.fixture(params=[_fastpath, _fastpath_py], ids=["cython", "python"], scope="session")
def core(request: pytest.FixtureRequest) -> ModuleType:
    """One implementation of `gateway/_fastpath.pyi`."""
    return request.param


@pytest.fixture(params=[_scan, _scan_py], ids=["cython", "python"], scope="session")
def scanner(request: pytest.FixtureRequest) -> ModuleType:
    """One implementation of `gateway/_scan.pyi`."""
    return request.param
