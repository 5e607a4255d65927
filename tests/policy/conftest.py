"""The two cores that everything which decides is tested on."""

import importlib

import pytest

from gateway import fastpath


@pytest.fixture(params=["_fastpath", "_fastpath_py"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on the compiled core and on the plain one; a missing extension is an error."""
    implementation = importlib.import_module(f"gateway.{request.param}")
    for name in fastpath.__dict__.keys() & implementation.__dict__.keys():
        if not name.startswith("_"):
            monkeypatch.setattr(fastpath, name, getattr(implementation, name))
