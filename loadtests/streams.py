"""Answers that take their time: events at intervals and then the answer, two at a time for each grant."""

from locust import constant_throughput, task

from loadtests.agent import LoadAgent, faults
from loadtests.scenarios import READ, STREAM_EVENTS, STREAMED


class Watcher(LoadAgent):
    """Three of them share a grant, so that one is always too many."""

    wait_time = constant_throughput(3)

    @task(2)
    def watch(self) -> None:
        """All events arrive, or none do."""
        decision = self.call(STREAMED, "stream")
        if decision["verdict"] == "allow" and decision["events"] != STREAM_EVENTS:
            faults["a stream lacked events"] += 1

    @task(1)
    def read(self) -> None:
        """A short call beside the streams."""
        self.call(READ)
