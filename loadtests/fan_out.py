"""Hundreds of agents start at once; when they have calmed down, one more calls as fast as it is answered."""

import time

from locust import constant, constant_throughput, task

from loadtests.agent import LoadAgent, faults, now_ms
from loadtests.scenarios import DISTURBED, READ, RUNAWAY, STEADY, WRITE

_begun_ms = now_ms()


def elapsed(user: LoadAgent) -> float:
    """How much of the run is over, from 0 to 1."""
    run_time_s: float = user.environment.parsed_options.run_time or 30
    return (now_ms() - _begun_ms) / (1000 * run_time_s)


class Agent(LoadAgent):
    """Four calls a second, of which one in ten is limited."""

    wait_time = constant_throughput(4)

    @task(9)
    def read(self) -> None:
        """The calls that are timed."""
        part = elapsed(self)
        name = "call in the storm" if part < 1 / 3 else STEADY if part < 2 / 3 else DISTURBED
        if self.call(READ, name)["verdict"] != "allow":
            faults["a call that nothing limits was refused"] += 1

    @task(1)
    def write(self) -> None:
        """Five of them pass."""
        self.call(WRITE, "limited call")


class Runaway(LoadAgent):
    """Begins when two thirds of the run are over, and never waits."""

    fixed_count = 1
    wait_time = constant(0)

    def on_start(self) -> None:
        """Let the others begin, and be judged undisturbed."""
        while elapsed(self) < 2 / 3:
            # By locust, which lets the other users run meanwhile.
            time.sleep(0.05)
        super().on_start()

    def take_grant(self) -> tuple[str, str]:
        """A grant that nobody else has."""
        return self.named_grant(RUNAWAY)

    @task
    def fire(self) -> None:
        """A call that is limited."""
        self.call(WRITE, "runaway")
