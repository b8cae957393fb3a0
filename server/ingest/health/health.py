"""The health of one live stream while it is on air: all that is measured of it, in one place."""

from collections import deque
from dataclasses import dataclass, field

from server.ingest.health.episodes import Episodes, News
from server.ingest.health.gauge import Gauge, Measures
from server.ingest.health.pollers import Pollers
from server.ingest.health.reading import Reading
from server.ingest.health.rules import warnings
from server.ingest.health.series import Series

ERRORS_KEPT = 20  # of a broadcast, the newest


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that went wrong, in a sentence."""

    at_ms: int  # wall clock
    text: str


@dataclass(slots=True)
class Health:
    """Fed once a second."""

    gauge: Gauge = field(default_factory=Gauge)
    series: Series = field(default_factory=Series)
    episodes: Episodes = field(default_factory=Episodes)
    pollers: Pollers = field(default_factory=Pollers)
    faults: deque[Fault] = field(default_factory=lambda: deque(maxlen=ERRORS_KEPT))
    measures: Measures | None = None  # None while nobody publishes
    turns: int = 0  # times that a publisher was put on air
    returns: int = 0  # times that one came again
    fillers: int = 0  # times that a slate stood in for them

    def feed(self, reading: Reading | None, now: float, wall_ms: int) -> list[News]:
        """What was read of the publisher, None where there is none; warnings that begin or end with it."""
        if reading is None:
            news = self.episodes.end() if self.measures else []
            self.measures = None
        else:
            self.gauge.feed(reading)
            self.measures = self.gauge.measure()
            news = self.episodes.update(warnings(self.measures) if self.measures else (), now)
        self.series.add(wall_ms, self.measures, self.pollers.count(now))
        return news

    def fault(self, wall_ms: int, text: str) -> None:
        self.faults.append(Fault(wall_ms, text))
