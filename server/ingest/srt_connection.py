"""SRT connections as the event loop sees them: a publisher's media into its broadcast, a broadcast to a reader."""

from typing import Protocol

from server import clock, ids, log
from server.formats.mpegts.writer import TsError, TsWriter, groups
from server.formats.sample import Sample, TrackConfig
from server.ingest.health.reading import Link
from server.ingest.on_air import Facts, OnAir, Publisher
from server.ingest.srt_port import Peer
from server.media.mpegts import Configured, Item, Picture, Sound, TsInput, Unsupported
from server.protocols.srt.packet import Address

SUPPORTED = {"video": "H.264 or HEVC", "audio": "AAC, Opus, AC-3, MP2 or MP3"}

_log = log.get("srt")


class Owner(Protocol):
    """What a connection needs of its listener."""

    def hang_up(self, peer: Peer) -> None: ...

    def leave(self, connection: "SrtPublisher | SrtReader") -> None: ...


class SrtPublisher:
    """One publisher. Logs two lines: opened, closed with the reason."""

    protocol = "srt"

    def __init__(self, owner: Owner, address: Address, version: str) -> None:
        self.id = ids.new("")[:8]
        self._owner = owner
        self._host = address[0]
        self._version = version
        self._since = clock.monotonic()
        self._peer: Peer | None = None
        self._publisher: Publisher | None = None
        self._reason = ""
        self._ended = False
        self._early: list[tuple[list[Item], int]] = []  # media that came before the event loop got to `open`
        self._log = _log.bind(connection=self.id)

    @property
    def closed(self) -> bool:
        """From either side, perhaps before `open`."""
        return bool(self._reason)

    def open(self, peer: Peer, publisher: Publisher) -> None:
        """Accepted."""
        self._peer = peer
        if self.closed:
            publisher.closed(self._reason, ended=self._ended)
            self.close(self._reason)
            return
        self._publisher = publisher
        self._log = self._log.bind(live_stream=publisher.live_stream_id, broadcast=publisher.broadcast_id)
        connection = peer.connection
        self._log.info(
            "opened", peer=self._host, srt=self._version, key_bits=connection.key_bits, latency_ms=connection.latency_ms
        )
        early, self._early = self._early, []
        for items, size in early:
            self.take(items, size)

    # --- for the broadcast

    def last_heard(self) -> float:
        return self._peer.heard_us / 1e6 if self._peer else self._since

    def facts(self) -> Facts:
        peer = self._peer
        if peer is None:
            return Facts(peer=self._host)
        known = peer.statistics
        link = Link(
            known.rtt_ms, known.latency_ms, known.received, known.lost, known.dropped, known.undecryptable
        )
        counters = {name: float(getattr(known, name)) for name in known.__slots__} | _input_counters(peer)
        return Facts(encoder=f"SRT {self._version}", peer=self._host, link=link, counters=counters)

    def close(self, reason: str) -> None:
        """Ended from our side."""
        self._reason = self._reason or reason
        self._publisher = None
        if self._peer is not None:
            self._owner.hang_up(self._peer)
            self._finish()

    # --- for the port

    def take(self, items: list[Item], size: int) -> None:
        peer, publisher = self._peer, self._publisher
        if peer is None:
            if not self.closed:
                self._early.append((items, size))
            return
        peer.taken += size
        for item in items:
            if publisher is None:
                return
            if item.__class__ is Picture:
                publisher.video(item.timestamp, item.cts, item.key, item.data, item.track)
            elif item.__class__ is Sound:
                publisher.audio(item.timestamp, item.data, item.track)
            elif isinstance(item, Configured):
                publisher.configure(item.config, item.track)
            elif isinstance(item, Unsupported):
                self._unsupported(publisher, item)
                publisher = self._publisher

    def over(self, reason: str, by_peer: bool) -> None:
        self._reason, self._ended = self._reason or reason, by_peer
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            publisher.closed(reason, ended=by_peer)
        self._finish()

    def _unsupported(self, publisher: Publisher, item: Unsupported) -> None:
        """Without pictures that can be taken nobody is shown a stream that was meant to have some."""
        reason = f"{item.kind} codec {item.codec} is not supported; send {SUPPORTED[item.kind]}"
        if item.kind == "audio":
            self._log.warning("sound left out", reason=reason)
            return
        self._log.warning("publisher rejected", reason=reason)
        publisher.rejected(reason)
        publisher.closed(reason, ended=True)
        self.close(reason)

    def _finish(self) -> None:
        self._owner.leave(self)
        self._early.clear()
        peer, self._peer = self._peer, None
        if peer is None:
            return
        known = peer.statistics
        counts = {"packets": known.received, "lost": known.lost, "dropped": known.dropped}
        self._log.info("closed", reason=self._reason, bytes=known.received_bytes, **counts, **_faults(peer))


def _input_counters(peer: Peer) -> dict[str, float]:
    media: TsInput | None = peer.media
    if media is None:
        return {}
    ts = media.demuxer.counters
    return {
        "ts_gaps": ts.gaps, "ts_damaged": ts.damaged, "ts_skipped_bytes": ts.skipped, "ts_overrun_bytes": peer.overrun,
        "ts_damaged_units": media.counters.damaged, "ts_broken_units": media.counters.broken,
    }  # fmt: skip


def _faults(peer: Peer) -> dict[str, float]:
    return {name: value for name, value in _input_counters(peer).items() if value}


class SrtReader:
    """One reader of a broadcast, which gets it as MPEG-TS from a key frame on; it is dropped to the next key frame
    when it does not keep up."""

    def __init__(self, owner: Owner, on_air: OnAir, address: Address) -> None:
        self.id = ids.new("")[:8]
        self._owner = owner
        self._on_air = on_air
        self._host = address[0]
        self._peer: Peer | None = None
        self._writer = TsWriter()
        self._waits = True  # for a key frame
        self._has_video = False
        self._left_out: set[str] = set()
        self._rest: list[bytes] = []
        self._size = 0
        self._gone = ""  # why it is over
        self.dropped = 0  # samples
        self._log = _log.bind(connection=self.id, live_stream=on_air.live_stream_id)

    def open(self, peer: Peer) -> None:
        """Accepted; meanwhile the broadcast may have ended, or the reader may have gone."""
        self._peer = peer
        if self._gone or self._on_air.state == "ended":
            self.close(self._gone or "the broadcast has ended")
            return
        self._log.info("reader opened", peer=self._host)
        self._on_air.stream.attach(self)

    # --- for the stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        try:
            self._writer.configure(track, config)
        except TsError as error:
            self._left_out.add(track)
            self._writer.drop(track)
            self._log.info("track left out", track=track, reason=str(error))
            return
        self._left_out.discard(track)
        self._has_video = self._has_video or config.kind == "video"
        self._waits = True

    def anchor(self, generation: int, epoch_ms: int) -> None:
        pass

    def write(self, track: str, sample: Sample) -> None:
        peer = self._peer
        if peer is None or track in self._left_out:
            return
        if self._waits:
            if self._has_video and not (track == "video" and sample.key):
                return
            self._waits = False
        packets = self._writer.write(track, sample)
        for datagram in groups(packets):
            if not peer.send(datagram):
                self.dropped += 1
                self._waits = True
                return

    def flush(self) -> None:
        self._waits = True

    def end(self) -> None:
        self.close("the broadcast has ended")

    # --- for the port and the listener

    def take(self, items: list[Item], size: int) -> None:
        """Readers send no media."""

    def over(self, reason: str, by_peer: bool) -> None:
        self._finish(reason)

    def close(self, reason: str) -> None:
        if self._peer is not None:
            self._owner.hang_up(self._peer)
            self._finish(reason)

    def _finish(self, reason: str) -> None:
        self._gone = self._gone or reason
        peer, self._peer = self._peer, None
        self._on_air.stream.detach(self)
        self._owner.leave(self)
        if peer is not None:
            self._log.info("reader closed", reason=reason, bytes=peer.sent, dropped=self.dropped)
