"""From a stream to a transcoding child: its pictures, as many as the child takes. Pure."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

from server.formats.sample import Sample, TrackConfig, VideoConfig
from server.media.ladder import Wish
from server.media.wire import MAX_BYTES, Config, Flush, Message, Unit
from server.stream.reader import VIDEO

# Pictures kept while the first child is being started: a key frame and what follows it, or nothing of it
MAX_KEPT_BYTES = 8 << 20
MAX_PICTURE_BYTES = MAX_BYTES - 1024  # beside what is said of it


class Child(Protocol):
    """What takes pictures."""

    @property
    def writable(self) -> bool: ...

    def send(self, *messages: Message) -> None: ...


class Feed:
    """A reader of the stream. Where the child has no room, pictures are left out up to the next key frame."""

    def __init__(self) -> None:
        self.dropped = 0  # pictures left out
        self.wishes: Sequence[Wish] = ()  # told with the next configuration
        self.reached_ms = 0  # presentation time of the latest picture sent, on the output clock
        self.flushes = 0  # asked for so far; the child says each back
        self._child: Child | None = None
        self._config: VideoConfig | None = None
        self._generation = 0
        self._told = False  # the child has the configuration
        self._waiting = True  # for a key frame
        self._kept: list[Sample] | None = []  # until the first child, so that a broadcast's first pictures are in it
        self._kept_bytes = 0

    def connect(self, child: Child | None) -> None:
        """Another child, which knows nothing yet; None: nobody."""
        self._child = child
        self._told = False
        self._waiting = True
        kept, self._kept = self._kept or [], None
        for sample in kept:
            self.write(VIDEO, sample)

    @property
    def waiting_for_child(self) -> bool:
        """Whether pictures are kept for the first one."""
        return bool(self._kept)

    # --- the reader of a stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        if track == VIDEO and isinstance(config, VideoConfig):
            self._config, self._generation = config, generation
            self._told = False
            self._waiting = True
            self._forget()

    def anchor(self, generation: int, epoch_ms: int) -> None:
        """Renditions are dated by the packager."""

    def write(self, track: str, sample: Sample) -> None:
        child, config = self._child, self._config
        if track != VIDEO or config is None:
            return
        if child is None:
            self._keep(sample)
            return
        if not child.writable or (self._waiting and not sample.key) or len(sample.data) > MAX_PICTURE_BYTES:
            self._waiting = True
            self.dropped += 1
            return
        self._waiting = False
        if not self._told:
            self._told = True
            child.send(Config(0, self._generation, self._facts(config), config.sample_entry))
        self.reached_ms = max(self.reached_ms, -(-sample.pts * 1000 // config.timescale))
        child.send(Unit(0, sample.pts, sample.dts, sample.key, sample.data))

    def flush(self) -> None:
        """What the child has comes out, though nothing follows."""
        if self._child is not None and self._told:
            self.flushes += 1
            self._child.send(Flush(self.flushes))
            self._told = False
        self._waiting = True

    def end(self) -> None:
        self.flush()

    def _keep(self, sample: Sample) -> None:
        if self._kept is None:
            return
        if sample.key or self._kept_bytes + len(sample.data) > MAX_KEPT_BYTES:
            self._forget()
        if sample.key or self._kept:
            self._kept.append(sample)
            self._kept_bytes += len(sample.data)

    def _forget(self) -> None:
        if self._kept is not None:
            self._kept, self._kept_bytes = [], 0

    def _facts(self, config: VideoConfig) -> dict[str, Any]:
        return {
            "timescale": config.timescale,
            "width": config.width,
            "height": config.height,
            "sar": config.sar,
            "wishes": [asdict(wish) for wish in self.wishes],
        }
