"""Agents with sessions and agents without share grants, and so budgets."""

from locust import constant_throughput, task

from loadtests.agent import LoadAgent, faults
from loadtests.scenarios import EXECUTE, READ, WRITE


class _Mixed(LoadAgent):
    """The same work in either era."""

    abstract = True
    wait_time = constant_throughput(5)

    @task(6)
    def read(self) -> None:
        """A call that nothing limits."""
        if self.call(READ)["verdict"] != "allow":
            faults["a call that nothing limits was refused"] += 1

    @task(3)
    def write(self) -> None:
        """The grant's budget, whoever of its agents calls."""
        self.call(WRITE)

    @task(1)
    def execute(self) -> None:
        """One budget for all grants."""
        self.call(EXECUTE)


class LegacyAgent(_Mixed):
    """2025-11-25, with a session."""


class ModernAgent(_Mixed):
    """2026-07-28, without."""

    is_modern = True
