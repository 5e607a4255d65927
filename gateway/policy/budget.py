"""What the engine needs of whoever keeps the counters. The proxy has it; so do tests and the author's tools."""

from typing import Protocol

from gateway import fastpath


class Budget(Protocol):
    """How the counters of one grant, in one session, look to the engine."""

    @property
    def words(self) -> fastpath.Words:
        """The words that hold every counter's state."""
        ...

    @property
    def slots(self) -> fastpath.Slots:
        """One slot for each of the policy's counters, in their order: where each one has its words."""
        ...

    def bind(self, slot: int) -> None:
        """Give the policy's counter `slot` a block of the words. Raises CountersFullError."""
        ...

    def in_flight(self, name: str) -> int:
        """How many calls of the grant hold a place under the concurrency rule of this name."""
        ...
