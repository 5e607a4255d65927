"""Families of metrics that are cheap to count in and cheap to write out; `metrics` declares what they count.

prometheus-client would do, but takes 3 µs for each count and writes 100,000 samples a second, while the event loop
waits. Here the text before a series' value is made once, when the series begins. All of it runs on the event loop, so
nothing locks.
"""

import abc
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import ClassVar, Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]
"""The values of a family's labels, in their order."""

_ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Registry(CollectorRegistry):
    """prometheus-client's registry, which also knows how to write our own families quickly."""

    def __init__(self) -> None:
        super().__init__()
        self.members: list[Collector] = []
        """In the order in which they were declared."""

    def register(self, collector: Collector) -> None:
        """Add a family, ours or prometheus-client's. Raises ValueError for a name that is taken."""
        super().register(collector)
        self.members.append(collector)

    def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        return b"".join(
            member.text().encode() if isinstance(member, Family) else generate_latest(member) for member in self.members
        )


class Family(Collector, abc.ABC):
    """A metric by labels, whose values come from closed sets: whoever counts sees to that."""

    kind: ClassVar[str]
    suffix: ClassVar[str] = ""

    def __init__(self, name: str, documentation: str, labels: Sequence[str], registry: Registry) -> None:
        self.name = name
        """Without the `_total` that Prometheus sees at a counter."""
        self.documentation = documentation
        self.labelnames = tuple(labels)
        registry.register(self)

    @property
    def full_name(self) -> str:
        """As Prometheus sees it; of a histogram without `_bucket` and the like."""
        return self.name + self.suffix

    def text(self) -> str:
        """The family as Prometheus reads it."""
        preamble = f"# HELP {self.full_name} {self.documentation}\n# TYPE {self.full_name} {self.kind}\n"
        return preamble + "".join(f"{head} {value!r}\n" for head, value in self._lines())

    def describe(self) -> list[Metric]:
        """What prometheus-client wants to know before anything is counted."""
        return [Metric(self.name, self.documentation, self.kind)]

    @abc.abstractmethod
    def collect(self) -> Iterator[Metric]:
        """The family as prometheus-client has it."""

    @abc.abstractmethod
    def _lines(self) -> Iterable[tuple[str, float]]:
        """Each sample: what stands before its value, and the value."""

    def _head(self, values: Labels) -> str:
        return _head(self.full_name, self.labelnames, values)

    def _named(self, values: Labels) -> dict[str, str]:
        return dict(zip(self.labelnames, values, strict=True))


class Number:
    """One series of a counter or a gauge."""

    __slots__ = ("head", "value")

    def __init__(self, head: str) -> None:
        self.head = head
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Count up."""
        self.value += amount

    def dec(self, amount: float = 1) -> None:
        """Count down."""
        self.value -= amount

    def set(self, value: float) -> None:
        """Make it this."""
        self.value = float(value)


class _Numbers(Family):
    """Series of one number each. Without labels there is one from the start."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), *, registry: Registry) -> None:
        super().__init__(name, documentation, labels, registry)
        self._series: dict[Labels, Number] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> Number:
        """The series of these values, which begins at 0."""
        number = self._series.get(values)
        if number is None:
            number = self._series[values] = Number(self._head(values))
        return number

    def remove(self, *values: str) -> None:
        """End the series of these values, if there is one."""
        self._series.pop(values, None)

    def collect(self) -> Iterator[Metric]:
        """The family as prometheus-client has it."""
        [metric] = self.describe()
        for values, number in self._series.items():
            metric.add_sample(self.full_name, self._named(values), number.value)
        yield metric

    def _lines(self) -> Iterable[tuple[str, float]]:
        return ((number.head, number.value) for number in self._series.values())


class Counter(_Numbers):
    """A metric that only grows."""

    kind = "counter"
    suffix = "_total"

    def inc(self, amount: float = 1) -> None:
        """Count, where there are no labels."""
        self._series[()].inc(amount)


class Gauge(_Numbers):
    """A metric that goes up and down."""

    kind = "gauge"

    def inc(self, amount: float = 1) -> None:
        """Count up, where there are no labels."""
        self._series[()].inc(amount)

    def set(self, value: float) -> None:
        """Make it this, where there are no labels."""
        self._series[()].set(value)


class Reading(Family):
    """A gauge that is read when somebody asks."""

    kind = "gauge"

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = (), *, registry: Registry) -> None:
        self.read: Callable[[], Iterable[tuple[Labels, float]]] = tuple
        """Gives every series there is, each once; `app` says how."""
        self._heads: dict[Labels, str] = {}
        super().__init__(name, documentation, labels, registry)

    def collect(self) -> Iterator[Metric]:
        """The family as prometheus-client has it."""
        [metric] = self.describe()
        for values, value in self.read():
            metric.add_sample(self.name, self._named(values), float(value))
        yield metric

    def _lines(self) -> Iterable[tuple[str, float]]:
        # Those of series that are gone are forgotten, or they would gather.
        before, self._heads = self._heads, {}
        for values, value in self.read():
            head = self._heads[values] = before.get(values) or self._head(values)
            yield head, float(value)


class Distribution:
    """One series of a histogram."""

    __slots__ = ("_bounds", "_counts", "_total", "heads")

    def __init__(self, bounds: tuple[float, ...], heads: tuple[str, ...]) -> None:
        """`heads` are those of the buckets, then of the count and of the sum."""
        self.heads = heads
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Add a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def values(self) -> list[float]:
        """What belongs after each of the heads."""
        within = [float(count) for count in accumulate(self._counts)]
        return [*within, within[-1], self._total]


class Histogram(Family):
    """A metric of how large values are."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: Registry,
    ) -> None:
        """`buckets` are the upper bounds, ascending, without infinity."""
        super().__init__(name, documentation, labels, registry)
        self._bounds = tuple(buckets)
        self._les = (*(repr(float(bound)) for bound in buckets), "+Inf")
        self._series: dict[Labels, Distribution] = {}
        if not labels:
            self.labels()

    def labels(self, *values: str) -> Distribution:
        """The series of these values, which begins empty."""
        distribution = self._series.get(values)
        if distribution is None:
            names = (*self.labelnames, "le")
            buckets = (_head(f"{self.name}_bucket", names, (*values, le)) for le in self._les)
            totals = (_head(f"{self.name}_{part}", self.labelnames, values) for part in ("count", "sum"))
            distribution = self._series[values] = Distribution(self._bounds, (*buckets, *totals))
        return distribution

    def observe(self, value: float) -> None:
        """Add a value, where there are no labels."""
        self._series[()].observe(value)

    def collect(self) -> Iterator[Metric]:
        """The family as prometheus-client has it."""
        [metric] = self.describe()
        for values, distribution in self._series.items():
            labels = self._named(values)
            *counts, count, total = distribution.values()
            for le, within in zip(self._les, counts, strict=True):
                metric.add_sample(f"{self.name}_bucket", labels | {"le": le}, within)
            metric.add_sample(f"{self.name}_count", labels, count)
            metric.add_sample(f"{self.name}_sum", labels, total)
        yield metric

    def _lines(self) -> Iterable[tuple[str, float]]:
        for distribution in self._series.values():
            yield from zip(distribution.heads, distribution.values(), strict=True)


def _head(name: str, labels: Sequence[str], values: Labels) -> str:
    """What stands before a sample's value."""
    pairs = sorted(zip(labels, values, strict=True))
    inside = ",".join(f'{label}="{value.translate(_ESCAPES)}"' for label, value in pairs)
    return f"{name}{{{inside}}}" if inside else name
