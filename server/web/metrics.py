"""Numbers for Prometheus: requests by route template, and whatever the parts below count.

A part below keeps plain numbers; the composition root names them here (`watch`). They are read on the event loop,
so that nothing changes meanwhile, and only then written out in a thread (12 ms for fifty routes).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from server.tally import Counts, Labels, Spread, Times

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# a number, or one for each value of the label, or labels
Reading = float | Mapping[str, float] | Mapping[Labels, float]
Read = Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class _Watched:
    kind: Literal["gauge", "counter"]
    name: str
    help: str
    read: Read
    labels: Labels


@dataclass(frozen=True, slots=True)
class _Timed:
    name: str
    help: str
    times: Times
    labels: Labels


class Metrics:
    """The registry of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._watched: list[_Watched] = []
        self._looks: list[Callable[[], Awaitable[None]]] = []
        self._readings: list[tuple[_Watched, Reading]] = []
        self._timed: list[_Timed] = []
        self._spreads: list[tuple[_Timed, Mapping[Labels, Spread]]] = []
        self._seconds = Histogram(
            "sluice_http_request_seconds",
            "Time from a request to the last byte of its answer.",
            ("method", "route", "status"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._sent = Counter(
            "sluice_http_sent_bytes", "Bytes of answers, with their headers.", ("route",), registry=self.registry
        )
        # looking a child up by its labels costs more than counting with it
        self._children: dict[tuple[str, str, int], tuple[Histogram, Counter]] = {}
        self.registry.register(self)

    def request_finished(self, method: str, route: str, status: int, seconds: float, sent: int) -> None:
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            children = (self._seconds.labels(method, route, str(status)), self._sent.labels(route))
            self._children[key] = children
        children[0].observe(seconds)
        children[1].inc(sent)

    def watch(
        self, kind: Literal["gauge", "counter"], name: str, help: str, read: Read, *labels: str
    ) -> None:
        """Shows what `read` gives at each scrape. With labels, it gives a number for each of their values."""
        self._watched.append(_Watched(kind, name, help, read, labels))

    def counts(self, name: str, help: str, counts: Counts, *labels: str) -> None:
        """Shows what a part has counted, by those labels."""
        self._watched.append(_Watched("counter", name, help, counts.read, labels))

    def times(self, name: str, help: str, times: Times, *labels: str) -> None:
        """Shows how long things took at a part, by those labels."""
        self._timed.append(_Timed(name, help, times, labels))

    def histogram(self, name: str, help: str, buckets: Sequence[float]) -> Callable[[float], None]:
        """A new one; what it returns counts a value."""
        observe: Callable[[float], None] = Histogram(name, help, buckets=buckets, registry=self.registry).observe
        return observe

    def refresh(self, look: Callable[[], Awaitable[None]]) -> None:
        """Awaits `look` before each scrape, for numbers that are not in memory."""
        self._looks.append(look)

    async def render(self) -> bytes:
        """The exposition text."""
        for look in self._looks:
            await look()
        self._readings = [(watched, watched.read()) for watched in self._watched]
        self._spreads = [(timed, timed.times.read()) for timed in self._timed]
        return await asyncio.to_thread(generate_latest, self.registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the registry, in a thread: only what was read before."""
        for watched, reading in self._readings:
            family_of = GaugeMetricFamily if watched.kind == "gauge" else CounterMetricFamily
            family = family_of(watched.name, watched.help, labels=watched.labels)
            if isinstance(reading, Mapping):
                for value, number in reading.items():
                    family.add_metric([value] if isinstance(value, str) else value, number)
            else:
                family.add_metric([], reading)
            yield family
        for timed, spreads in self._spreads:
            yield _histogram(timed, spreads)


def _histogram(timed: _Timed, spreads: Mapping[Labels, Spread]) -> Metric:
    family = HistogramMetricFamily(timed.name, timed.help, labels=timed.labels)
    ends = [*(repr(float(bound)) for bound in timed.times.bounds_s), "+Inf"]
    for labels, spread in spreads.items():
        family.add_metric(labels, list(zip(ends, accumulate(spread.counts), strict=True)), spread.sum_s)
    return family
