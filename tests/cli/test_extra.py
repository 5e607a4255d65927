"""Modules that need an extra."""

import pytest

from gateway.cli import extra
from gateway.errors import GatewayError


def test_a_module_is_loaded():
    """What is installed is simply imported."""
    assert extra.load("gateway.errors", "demo").GatewayError is GatewayError


def test_a_missing_package_names_the_extra():
    """The error says what to install."""
    with pytest.raises(GatewayError, match=r"needs not_installed.*mcp-policy-gateway\[demo\].*'\.\[demo\]'"):
        extra.load("not_installed", "demo")


def test_a_missing_module_of_ours_is_a_defect():
    """A module of our own that is missing is not blamed on an extra."""
    with pytest.raises(ModuleNotFoundError):
        extra.load("gateway.nowhere", "demo")
