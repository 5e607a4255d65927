"""Calls that wait for a person: each runs once for each approval, and not at all without."""

import itertools

import orjson
from locust import FastHttpUser, constant, constant_throughput, task

from loadtests.agent import LoadAgent, approved, faults
from loadtests.scenarios import APPROVED, READ


class Agent(LoadAgent):
    """Asks, and repeats the same call until it is decided."""

    wait_time = constant_throughput(4)
    _numbers = itertools.count()

    def on_start(self) -> None:
        """Begin with a call of its own."""
        super().on_start()
        self._number = next(self._numbers)

    @task(2)
    def delete(self) -> None:
        """A call that is held."""
        verdict = self.call(APPROVED, "held call", number=self._number)["verdict"]
        if verdict in ("allow", "deny"):
            self._number = next(self._numbers)
        elif verdict != "pending":
            faults[f"a call that waits for approval was answered with {verdict}"] += 1

    @task(1)
    def read(self) -> None:
        """A call beside those that wait."""
        self.call(READ)


class Person(FastHttpUser):
    """Approves two of three calls that wait, and denies the third."""

    fixed_count = 1
    wait_time = constant(0.2)

    def on_start(self) -> None:
        """Know where to ask."""
        options = self.environment.parsed_options
        self._url = f"{options.admin_url}/api/approvals"
        self._headers = {"Authorization": f"Bearer {options.admin_token}", "Content-Type": "application/json"}
        self._turn = itertools.cycle(("approve", "approve", "deny"))

    @task
    def decide(self) -> None:
        """Whatever waits now."""
        listed = self.client.get(f"{self._url}?state=pending", headers=self._headers, name="approvals: list")
        for approval in orjson.loads(listed.content or b"{}").get("approvals", ()):
            decision = next(self._turn)
            url = f"{self._url}/{approval['id']}/{decision}"
            answer = self.client.post(url, data="{}", headers=self._headers, name=f"approvals: {decision}")
            if decision == "approve" and answer.status_code == 200:
                approved[approval["grant"]] += 1
