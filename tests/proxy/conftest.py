"""The fixtures of the functional tests, for modules that show themselves only through a running gateway."""

from tests.functional.conftest import gateway, start_gateway, upstream

__all__ = ["gateway", "start_gateway", "upstream"]
