"""The life of a broadcast's publishers: live, lost, back, and the change between two encoders."""

import asyncio

from server import clock, log
from server.ingest.endings import Endings
from server.ingest.on_air import OnAir, Publisher
from server.ingest.registry import Registry
from server.ingest.restart import NOT_BACK
from server.ingest.slates import Slates
from server.ingest.states import States
from server.ingest.switch import why_switch

SWITCH_S = 4.0  # while the other encoder is connected, viewers wait so long for its key frame uninterrupted

_log = log.get("live")


class Life:
    """What publishers tell, and what becomes of their broadcasts. `slates` fill the reconnect window."""

    def __init__(self, registry: Registry, endings: Endings, states: States, slates: Slates | None) -> None:
        self._registry = registry
        self._endings = endings
        self._states = states
        self._slates = slates

    def went_live(self, publisher: Publisher) -> None:
        """Media flows, for the first time or again."""
        on_air = _broadcast_of(publisher)
        resumed, on_air.state = on_air.state == "interrupted", "live"
        _log.info("live", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, resumed=resumed)
        self._registry.spawn(self._states.live(on_air, resumed))

    def lost(self, publisher: Publisher, reason: str, ended: bool) -> None:
        """The publisher is gone: to come back within the window, or for good; the other one goes on without it."""
        on_air = _broadcast_of(publisher)
        on_air.sound = publisher.configs.get("audio")
        if on_air.standby is publisher:
            on_air.standby = None
            if on_air.publisher is not None:
                self._registry.spawn(self._states.disconnected(on_air, publisher.role, reason))
                return
        else:
            on_air.publisher = None
            on_air.stream.interrupt()
            if on_air.standby is not None:
                self._wait_for_standby(on_air, reason)
                return
        self._without_publisher(on_air, reason, ended)

    def _without_publisher(self, on_air: OnAir, reason: str, ended: bool) -> None:
        if ended or on_air.state == "connecting" or on_air.reconnect_window_s == 0:
            self._endings.soon(on_air, reason)
            return
        if on_air.state == "live":
            self._interrupt(on_air, reason)
        self.fill_window(on_air, on_air.reconnect_window_s)

    def _interrupt(self, on_air: OnAir, reason: str) -> None:
        on_air.state = "interrupted"
        on_air.health.fault(clock.wall_ms(), reason)
        _log.info("interrupted", live_stream=on_air.live_stream_id, broadcast=on_air.broadcast_id, reason=reason)
        if not self._registry.closing:
            self._registry.spawn(self._states.interrupted(on_air, reason))

    def _wait_for_standby(self, on_air: OnAir, reason: str) -> None:
        """The other encoder's key frame is near; if it is not, that is an interruption too."""

        def missed() -> None:
            if on_air.publisher is None:
                if on_air.state == "live":
                    self._interrupt(on_air, reason)
                self.fill_window(on_air, on_air.reconnect_window_s)

        on_air.rearm(asyncio.get_running_loop().call_later(SWITCH_S, missed))

    def fill_window(self, on_air: OnAir, window_s: float) -> None:
        """Nobody publishes: viewers are shown the slate, if there is one, until somebody does or the time is up."""
        loop = asyncio.get_running_loop()
        on_air.rearm(loop.call_later(window_s, lambda: self._endings.soon(on_air, NOT_BACK)))
        if self._slates is not None and on_air.state == "interrupted":
            self._registry.spawn(self._slates.fill(on_air, lambda: self._registry.closing))

    def may_take_over(self, publisher: Publisher) -> bool:
        """Puts the one that stands by on air where it is better than what is there."""
        on_air = _broadcast_of(publisher)
        old = on_air.publisher
        steady_s = publisher.steadiness.lasts_s(clock.monotonic())
        reason = why_switch(old.chosen if old else None, publisher.role, steady_s)
        if reason is None or on_air.due:
            return False
        on_air.rearm(None)
        on_air.standby = old
        publisher.go_on_air()
        _log.info("ingest switched", live_stream=on_air.live_stream_id, to=publisher.role, reason=reason)
        self._registry.spawn(self._states.switched(on_air, publisher.role, reason))
        return True

    def rejected(self, publisher: Publisher, reason: str) -> None:
        """An event says why a publisher was sent away."""
        publisher.stage.health.fault(clock.wall_ms(), reason)
        self._registry.spawn(self._states.rejected(_broadcast_of(publisher), reason))


def _broadcast_of(publisher: Publisher) -> OnAir:
    if not isinstance(publisher.stage, OnAir):
        raise TypeError("the publisher is not on air")
    return publisher.stage
