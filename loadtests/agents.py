"""Agents at work, each with its own grant: mixed tools, limits, and waits that are taken at their word."""

import random

from locust import constant_throughput, task

from loadtests.agent import LoadAgent, faults, now_ms
from loadtests.scenarios import EXECUTE, FORBIDDEN, READ, WRITE


class Worker(LoadAgent):
    """Reads mostly. After a throttle it calls a tool early at times; once the wait is over it must be let through."""

    wait_time = constant_throughput(8)

    def on_start(self) -> None:
        """Begin with no wait for any tool."""
        super().on_start()
        self._until_ms: dict[str, float] = {}

    @task(13)
    def read(self) -> None:
        """A call that nothing limits."""
        if self.call(READ)["verdict"] != "allow":
            faults["a call that nothing limits was refused"] += 1

    @task(4)
    def write(self) -> None:
        """A sliding window."""
        self.call_limited(WRITE)

    @task(2)
    def execute(self) -> None:
        """A token bucket."""
        self.call_limited(EXECUTE)

    @task(1)
    def try_what_is_forbidden(self) -> None:
        """A tool that the policy does not list."""
        if self.call(FORBIDDEN)["verdict"] != "deny":
            faults["a tool that is not listed was not denied"] += 1

    def call_limited(self, tool: str) -> None:
        """Half of the calls that would be too early are made all the same."""
        until_ms = self._until_ms.get(tool, 0.0)
        is_early = now_ms() < until_ms
        if is_early and random.random() < 0.5:  # noqa: S311  nothing secret depends on it
            return
        decision = self.call(tool)
        if decision["verdict"] == "throttle":
            if until_ms and not is_early:
                faults["a call was refused after the wait that it had been told"] += 1
            self._until_ms[tool] = now_ms() + decision["retry_after_ms"]
        else:
            self._until_ms.pop(tool, None)
