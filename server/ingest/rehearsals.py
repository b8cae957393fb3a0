"""Rehearsals: a publisher is taken and measured, and nobody sees it.

One that is armed over the API takes the next publisher, for a limited time. One who comes before the scheduled start
rehearses until then, and goes on air with the connection that it has.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from server import clock, log
from server.formats.sample import TrackConfig
from server.ingest.admission import make_room
from server.ingest.health.gauge import Measures
from server.ingest.health.health import Fault
from server.ingest.health.rules import Warning, warnings
from server.ingest.on_air import Connection, Facts, Publisher, Stage
from server.ingest.switch import Role
from server.stream.stream import Stream

ARMED_S = 600.0  # a rehearsal that nobody comes to is forgotten after this
KEPT = 1_000  # findings; the oldest go
OVER = "the rehearsal is over"

_log = log.get("live")


@dataclass(frozen=True, slots=True)
class Findings:
    """What a rehearsal has shown, or has so far."""

    state: str  # armed | running | over
    ends_at_ms: int | None = None  # wall clock
    protocol: str = ""
    facts: Facts | None = None
    configs: Mapping[str, TrackConfig] = field(default_factory=dict)  # of its tracks
    measures: Measures | None = None
    warnings: tuple[Warning, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def left_s(self) -> float | None:
        """Seconds until it ends by itself."""
        if self.ends_at_ms is None:
            return None
        return max(0.0, round((self.ends_at_ms - clock.wall_ms()) / 1000, 1))

    @property
    def verdict(self) -> str | None:
        """ok | warnings; None before anything was measured."""
        if self.measures is None:
            return "warnings" if self.faults else None
        return "warnings" if self.warnings or self.faults else "ok"


@dataclass(slots=True, eq=False, kw_only=True)
class Rehearsal(Stage):
    """`seconds` is how long it lasts once somebody publishes; None: until the scheduled start."""

    seconds: float | None
    ends_at_ms: int | None = None
    timer: asyncio.TimerHandle | None = None
    seen: Findings | None = None  # as long as the publisher was there

    @property
    def armed(self) -> bool:
        """Asked for over the API."""
        return self.seconds is not None

    def rearm(self, timer: asyncio.TimerHandle | None) -> None:
        if self.timer:
            self.timer.cancel()
        self.timer = timer


class Rehearsals:
    """Those of this process; a restart forgets them."""

    def __init__(self, on_rejected: Callable[[str, str], None]) -> None:
        """`on_rejected` is told of publishers that can't be taken: live stream, reason."""
        self._on_rejected = on_rejected
        self._stages: dict[str, Rehearsal] = {}
        self._over: dict[str, Findings] = {}  # oldest first

    def all(self) -> Iterable[Rehearsal]:
        return self._stages.values()

    def get(self, live_stream_id: str) -> Rehearsal | None:
        return self._stages.get(live_stream_id)

    def arm(self, live_stream_id: str, seconds: float) -> None:
        """The next publisher rehearses for so long; in place of a rehearsal under way."""
        self.end(live_stream_id)
        self._over.pop(live_stream_id, None)
        stage = self._stage(live_stream_id, seconds)
        stage.ends_at_ms = clock.wall_ms() + round(ARMED_S * 1000)
        stage.rearm(asyncio.get_running_loop().call_later(ARMED_S, lambda: self.end(live_stream_id)))

    def admit(self, live_stream_id: str, connection: Connection, role: Role) -> Publisher:
        """Onto the stage of the rehearsal, without one before the scheduled start. Raises Refused."""
        stage = self._stages.get(live_stream_id) or self._stage(live_stream_id, None)
        make_room(stage, role)
        publisher = Publisher(self, stage, connection, role)
        if stage.publisher is not None:
            stage.standby = publisher
            return publisher
        stage.seen = None
        publisher.go_on_air()
        if stage.seconds is not None:
            stage.ends_at_ms = clock.wall_ms() + round(stage.seconds * 1000)
            stage.rearm(asyncio.get_running_loop().call_later(stage.seconds, lambda: self.end(live_stream_id)))
        _log.info("rehearsing", live_stream=live_stream_id, connection=connection.id)
        return publisher

    def end(self, live_stream_id: str, reason: str = OVER) -> None:
        """Closes the publishers' connections; the findings stay."""
        for publisher in self.take(live_stream_id):
            publisher.connection.close(reason)

    def take(self, live_stream_id: str) -> tuple[Publisher, ...]:
        """Ends the rehearsal, and hands over who is there."""
        stage = self._stages.pop(live_stream_id, None)
        if stage is None:
            return ()
        stage.rearm(None)
        self._keep(stage)
        publishers, stage.publisher, stage.standby, stage.state = stage.publishers, None, None, "ended"
        return publishers

    def findings(self, live_stream_id: str) -> Findings | None:
        """Of the rehearsal under way, else of the last one; None where there was none."""
        stage = self._stages.get(live_stream_id)
        return findings(stage) if stage else self._over.get(live_stream_id)

    def close(self, reason: str) -> None:
        """The server stops."""
        for live_stream_id in list(self._stages):
            self.end(live_stream_id, reason)

    # --- the life of publishers

    def went_live(self, publisher: Publisher) -> None:
        publisher.stage.state = "live"

    def lost(self, publisher: Publisher, reason: str, ended: bool) -> None:
        """A rehearsal is over with its last publisher."""
        stage = publisher.stage
        if stage.standby is publisher:
            stage.standby = None
            return
        if isinstance(stage, Rehearsal):
            stage.seen = findings(stage)
        other, stage.publisher, stage.standby = stage.standby, None, None
        if other is not None:
            other.go_on_air()
        else:
            self.take(stage.live_stream_id)

    def rejected(self, publisher: Publisher, reason: str) -> None:
        publisher.stage.health.fault(clock.wall_ms(), reason)
        self._on_rejected(publisher.live_stream_id, reason)

    def may_take_over(self, publisher: Publisher) -> bool:
        return False

    # --- stages

    def _stage(self, live_stream_id: str, seconds: float | None) -> Rehearsal:
        stage = Rehearsal(
            live_stream_id=live_stream_id, state="connecting", stream=Stream(live_stream_id), seconds=seconds
        )
        self._stages[live_stream_id] = stage
        return stage

    def _keep(self, stage: Rehearsal) -> None:
        found = findings(stage)
        self._over.pop(stage.live_stream_id, None)
        if found.facts is not None:
            self._over[stage.live_stream_id] = replace(found, state="over", ends_at_ms=None)
        while len(self._over) > KEPT:
            del self._over[next(iter(self._over))]


def findings(stage: Rehearsal) -> Findings:
    """What is known now; of a publisher who has gone, what was known then."""
    publisher, health = stage.publisher, stage.health
    if publisher is None:
        return stage.seen or Findings("armed", stage.ends_at_ms)
    return Findings(
        "running",
        stage.ends_at_ms,
        publisher.connection.protocol,
        publisher.connection.facts(),
        dict(publisher.configs),
        health.measures,
        tuple(warnings(health.measures)) if health.measures else (),
        tuple(health.faults),
    )

