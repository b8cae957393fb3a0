"""A broadcast as MPEG-TS in datagrams for one target, from a key frame on.

Where there is no room, samples are dropped up to the next key frame; a track that MPEG-TS can't carry is left out.
"""

from collections.abc import Callable

from server.formats.mpegts.writer import TsError, TsWriter, groups
from server.formats.sample import Sample, TrackConfig

TRACKS = frozenset(("video", "audio"))


class TsFeed:
    """A reader of the stream. `send` takes a datagram, or says False when it has no room."""

    def __init__(self, send: Callable[[bytes], bool], over: Callable[[], None]) -> None:
        """`over` is called when nothing follows."""
        self.dropped = 0  # samples, since the first one that was sent
        self.left_out: dict[str, str] = {}  # tracks, and why
        self._send = send
        self._over = over
        self._writer = TsWriter()
        self._tracks: set[str] = set()
        self._waits = True  # for a key frame
        self._begun = False

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        if track not in TRACKS:
            return
        try:
            self._writer.configure(track, config)
        except TsError as error:
            self.left_out[track] = str(error)
            self._tracks.discard(track)
            self._writer.drop(track)
            return
        self.left_out.pop(track, None)
        self._tracks.add(track)
        self._waits = True

    def anchor(self, generation: int, epoch_ms: int) -> None:
        """Timestamps are those of the output clock."""

    def write(self, track: str, sample: Sample) -> None:
        if track not in self._tracks or not self._may_send(track, sample):
            return
        for datagram in groups(self._writer.write(track, sample)):
            if not self._send(datagram):
                self.dropped += 1
                self._waits = True
                return

    def _may_send(self, track: str, sample: Sample) -> bool:
        if not self._waits:
            return True
        if "video" in self._tracks and not (track == "video" and sample.key):
            self.dropped += self._begun
            return False
        self._waits, self._begun = False, True
        return True

    def flush(self) -> None:
        self._waits = True

    def end(self) -> None:
        self._over()
