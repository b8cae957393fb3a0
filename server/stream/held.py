"""What waits for a generation to begin: samples that came before the picture or the sound that begins it."""

from collections.abc import Iterator
from typing import NamedTuple

from server.stream.reader import AUDIO_TRACKS

MAX_HELD = 1_024  # samples of a track; 10 s of sound at 96 kHz
MAX_HELD_BYTES = 8 << 20  # of a track: a group of pictures of 2 s at 32 Mbit/s


class Early(NamedTuple):
    """A sample as it was written; a frame of sound is a key."""

    timestamp: int
    cts: int
    key: bool
    data: bytes | memoryview


class Held:
    """The samples of one track, in order; the oldest make room. Pictures are kept from a key frame on."""

    def __init__(self, *, pictures: bool) -> None:
        self.samples: list[Early] = []
        self._pictures = pictures
        self._bytes = 0

    def add(self, sample: Early, jump: int) -> None:
        """A step back, or of more than `jump` ticks, is of another clock, whose samples alone are kept."""
        if self.samples and not 0 <= sample.timestamp - self.samples[-1].timestamp <= jump:
            self.clear()
        if self._pictures:
            self._add_picture(sample)
            return
        self._append(sample)
        while len(self.samples) > MAX_HELD or self._bytes > MAX_HELD_BYTES:
            self._bytes -= len(self.samples.pop(0).data)

    def _add_picture(self, sample: Early) -> None:
        if sample.key:
            self.clear()
        if sample.key or self.samples:
            self._append(sample)
        if len(self.samples) > MAX_HELD or self._bytes > MAX_HELD_BYTES:
            self.clear()  # without its key frame the rest is of no use

    def _append(self, sample: Early) -> None:
        self.samples.append(sample)
        self._bytes += len(sample.data)

    def clear(self) -> None:
        self.samples.clear()
        self._bytes = 0

    @property
    def span(self) -> int:
        """From the first to the last, in the publisher's ticks."""
        return self.samples[-1].timestamp - self.samples[0].timestamp if self.samples else 0

    @property
    def full(self) -> bool:
        return len(self.samples) >= MAX_HELD


class Waiting:
    """What is held of all tracks."""

    def __init__(self) -> None:
        self._tracks: dict[str, Held] = {}

    def __bool__(self) -> bool:
        return bool(self._tracks)

    def add(self, track: str, sample: Early, jump: int, *, pictures: bool) -> Held:
        held = self._tracks.get(track)
        if held is None:
            held = self._tracks[track] = Held(pictures=pictures)
        held.add(sample, jump)
        return held

    def first_sound(self) -> tuple[str, int] | None:
        """The track that leads where there are no pictures, and its first timestamp."""
        names = (name for name in AUDIO_TRACKS if name in self._tracks and self._tracks[name].samples)
        return next(((name, self._tracks[name].samples[0].timestamp) for name in names), None)

    def take(self, first: str = "") -> Iterator[tuple[str, Early]]:
        """All of it, the track `first` first; nothing waits any more."""
        tracks, self._tracks = self._tracks, {}
        for track in sorted(tracks, key=lambda name: name != first):
            for sample in tracks[track].samples:
                yield track, sample

    def clear(self) -> None:
        self._tracks.clear()
