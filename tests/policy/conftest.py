"""The two cores that everything which decides is tested on."""

import pytest

from gateway import fastpath
from tests.support.cores import COMPILED, PLAIN


@pytest.fixture(params=[COMPILED, PLAIN], ids=["cython", "python"])
def core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test on the compiled core and on the plain one; a missing extension is an error."""
    for name in vars(fastpath).keys() & vars(request.param).keys():
        if not name.startswith("_"):
            monkeypatch.setattr(fastpath, name, getattr(request.param, name))
