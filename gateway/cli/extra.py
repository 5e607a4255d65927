"""Modules that need an extra: imported when their command runs, so that the other commands do without."""

import importlib
from typing import Any

from gateway.errors import GatewayError


def load(module: str, extra: str) -> Any:
    """The module. Raises `GatewayError` naming the extra to install where one of its packages is missing."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("gateway"):
            raise
        raise GatewayError(
            f"this needs {missing.name}, which is not installed: pip install 'mcp-policy-gateway[{extra}]', "
            f"or in a checkout: pip install '.[{extra}]'"
        ) from missing
