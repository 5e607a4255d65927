"""The two cores, each as one namespace: what `gateway.fastpath` would offer if it had chosen this one."""

from types import ModuleType, SimpleNamespace

from gateway import _fastpath, _fastpath_py, _matching, _matching_py


def _merged(*modules: ModuleType) -> SimpleNamespace:
    names = {name: value for module in modules for name, value in vars(module).items() if not name.startswith("__")}
    return SimpleNamespace(**names)


COMPILED = _merged(_matching, _fastpath)
PLAIN = _merged(_matching_py, _fastpath_py)
