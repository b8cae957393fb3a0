"""A broadcast as FLV tags, which are what RTMP carries: for one player or one target, from a key frame on.

One that is slow is dropped to a later key frame.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from server import clock, log
from server.formats.amf0 import Value
from server.formats.flv_tags import (
    AUDIO,
    VIDEO,
    FlvTagError,
    audio_tag,
    fourcc,
    metadata,
    sequence_header,
    video_tag,
)
from server.formats.sample import Sample, TrackConfig

# Bytes that a player may be behind: some six seconds of 5 Mbit/s. Beyond, it is dropped to a key frame that comes when
# it has read nearly all of them.
MOST_BEHIND = 4 << 20
CAUGHT_UP = 256 << 10
STALLED_S = 20.0  # a player that reads nothing for so long is let go
LEAD_MS = 1_000  # time stamps begin here, so that sound from before the first picture has room

TRACKS = ("video", "audio")  # players know no others

FAILED = "the server failed to send it"

_log = log.get("stream")
ENDED = "the broadcast has ended"


class Output(Protocol):
    """Who takes the tags: a connection."""

    @property
    def behind(self) -> Callable[[], int]:
        """Bytes written that it has not taken."""
        ...

    @property
    def over(self) -> Callable[[str], None]:
        """There is nothing more for it, and why."""
        ...

    def metadata(self, properties: Mapping[str, Value]) -> None: ...

    def media(self, kind: int, timestamp_ms: int, payload: bytes) -> None: ...


class FlvReader:
    """One reader of a stream."""

    def __init__(self, output: Output) -> None:
        self.dropped = 0  # samples, since the first one that was sent
        self._output = output
        self._configs: dict[str, TrackConfig] = {}
        self._codecs: dict[str, str] = {}
        self._told = True  # sequence headers are sent for what is configured
        self._waits = True  # for a key frame
        self._begun = False
        self._slow_since: float | None = None
        self._times = _Times()

    # --- for the stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        if track not in TRACKS:
            return
        try:
            sequence_header(config)
        except FlvTagError:
            self._configs.pop(track, None)
            return
        self._configs[track], self._codecs[track] = config, fourcc(config)
        self._told = False
        self._waits = True

    def anchor(self, generation: int, epoch_ms: int) -> None:
        pass

    def write(self, track: str, sample: Sample) -> None:
        try:
            self._write(track, sample)
        except Exception as error:  # a fault on the way to one reader must not reach the publisher
            _log.error("a reader failed", exc_info=error)
            self._configs.clear()
            self._output.over(FAILED)

    def _write(self, track: str, sample: Sample) -> None:
        config = self._configs.get(track)
        if config is None or not self._may_send(track, sample):
            return
        if not self._told:
            self._tell()
        if track == "video":
            at_ms, cts_ms = self._times.picture(sample, config.timescale)
            self._output.media(VIDEO, at_ms, video_tag(self._codecs[track], sample.key, cts_ms, sample.data))
        else:
            at_ms = self._times.sound(sample, config.timescale)
            self._output.media(AUDIO, at_ms, audio_tag(self._codecs[track], sample.data))

    def flush(self) -> None:
        self._waits = True

    def end(self) -> None:
        self._output.over(ENDED)

    # --- pace

    def _may_send(self, track: str, sample: Sample) -> bool:
        behind = self._output.behind()
        if behind > MOST_BEHIND:
            self._waits = True
        if not self._waits:
            return True
        self.dropped += self._begun
        if behind > CAUGHT_UP:
            self._look_at_the_clock()
            return False
        self._slow_since = None
        if "video" in self._configs and not (track == "video" and sample.key):
            return False
        self.dropped -= self._begun
        self._waits, self._begun = False, True
        return True

    def _look_at_the_clock(self) -> None:
        now = clock.monotonic()
        if self._slow_since is None:
            self._slow_since = now
        elif now - self._slow_since > STALLED_S:
            self._output.over(f"it did not read for {STALLED_S:g} s")

    def _tell(self) -> None:
        """What the tracks are, before their first frame."""
        self._told = True
        self._output.metadata(metadata(self._configs))
        for track, config in self._configs.items():
            kind = VIDEO if track == "video" else AUDIO
            self._output.media(kind, self._times.last_ms, sequence_header(config))


class _Times:
    """From the broadcast's clock to milliseconds of one player's.

    Samples count decode times so that the first picture is shown at its own, which makes composition offsets negative;
    players expect them the other way. So decode times are moved back by the most that was seen.
    """

    def __init__(self) -> None:
        self.last_ms = 0  # the latest decode time of a picture
        self._start_ms: int | None = None
        self._back_ms = 0

    def picture(self, sample: Sample, timescale: int) -> tuple[int, int]:
        """Timestamp and composition offset."""
        dts_ms = self._since_start(sample.dts * 1000 // timescale)
        pts_ms = self._since_start(sample.pts * 1000 // timescale)
        self._back_ms = max(self._back_ms, dts_ms - pts_ms)
        self.last_ms = max(self.last_ms, dts_ms - self._back_ms)
        return self.last_ms, pts_ms - self.last_ms

    def sound(self, sample: Sample, timescale: int) -> int:
        return self._since_start(sample.dts * 1000 // timescale)

    def _since_start(self, at_ms: int) -> int:
        if self._start_ms is None:
            self._start_ms = at_ms - LEAD_MS
        return max(0, at_ms - self._start_ms)
