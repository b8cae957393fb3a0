"""The beginning of a broadcast: its row, and what packages it in this process."""

import math
from collections.abc import Callable

from server import ids
from server.catalog import broadcasts as rows
from server.catalog.database import Transaction
from server.catalog.models import Broadcast, LiveStream
from server.config import LiveConfig
from server.ingest import intervals
from server.ingest.intervals import Interval
from server.ingest.on_air import OnAir
from server.packager.live import LivePackager, LiveSettings
from server.storage.segments import SegmentStore
from server.stream.stream import Stream

Began = Callable[[LiveStream, OnAir], None]  # for who attaches further readers; called before any media comes


class Beginnings:
    """Makes broadcasts, of new rows and of those that a restart finds."""

    def __init__(
        self, store: SegmentStore, config: LiveConfig, on_part: Callable[[int], None], on_began: Began
    ) -> None:
        self.store = store
        self._config = config
        self._on_part = on_part
        self._on_began = on_began

    async def row(self, transaction: Transaction, live: LiveStream, protocol: str) -> Broadcast:
        """A new broadcast with the settings that its live stream has now."""
        broadcast = Broadcast(
            id=ids.new("br"),
            project_id=live.project_id,
            live_stream_id=live.id,
            protocol=protocol,
            record=live.record,
            latency_mode=live.latency_mode,
            renditions=live.renditions,
            target_duration_s=target_duration_s(self._config.segment_s, live.gop_s),
            recordings=[intervals.new(0)] if live.record else [],
        )
        await rows.add(transaction, broadcast)
        live.broadcast_id = broadcast.id
        return broadcast

    def make(self, live: LiveStream, broadcast: Broadcast) -> OnAir:
        settings = LiveSettings.of(
            broadcast.latency_mode,
            self._config.segment_s,
            broadcast.target_duration_s,
            self._config.dvr_window_s,
            record=False,  # what is recorded is spared
        )
        stream = Stream(broadcast.id)
        packager = LivePackager(live.id, broadcast.id, settings, self.store, self._on_part)
        stream.attach(packager)
        on_air = OnAir(
            live_stream_id=live.id,
            broadcast_id=broadcast.id,
            state="connecting",
            reconnect_window_s=live.reconnect_window_s,
            stream=stream,
            packager=packager,
            renditions=broadcast.renditions,
            intervals=_intervals(broadcast),
        )
        intervals.spare(self.store, broadcast.id, on_air.intervals)
        self._on_began(live, on_air)
        return on_air


def _intervals(broadcast: Broadcast) -> list[Interval]:
    """What is recorded of it; a row of before there were intervals is recorded as a whole or not at all."""
    return list(broadcast.recordings) or ([intervals.new(0)] if broadcast.record else [])


def target_duration_s(segment_s: float, gop_s: float | None) -> int:
    """EXT-X-TARGETDURATION of a broadcast: 4 s, or what the stream's last seen key-frame interval needs."""
    return max(4, math.ceil(segment_s), math.ceil(gop_s or 0))
