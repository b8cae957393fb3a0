"""What a stream calls."""

from typing import Protocol

from server.formats.sample import Sample, TrackConfig

# Names of tracks. The first picture track is the master clock and decides where segments are cut.
VIDEO, AUDIO = "video", "audio"
MOST_OF_A_KIND = 8  # tracks of pictures, and of sound, in one broadcast
VIDEO_TRACKS = (VIDEO, *(f"{VIDEO}{number}" for number in range(2, MOST_OF_A_KIND + 1)))
AUDIO_TRACKS = (AUDIO, *(f"{AUDIO}{number}" for number in range(2, MOST_OF_A_KIND + 1)))
TRACKS = frozenset(VIDEO_TRACKS + AUDIO_TRACKS)


class Reader(Protocol):
    """Who consumes a stream. Called synchronously, in the order things happen; must be quick."""

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        """A track's configuration; one with a new generation follows a discontinuity and needs a new init segment."""

    def anchor(self, generation: int, epoch_ms: int) -> None:
        """The generation begins: its output time zero is `epoch_ms` on the wall clock.

        Said again, with an epoch a few milliseconds off, where the publisher's clock turns out to run fast or slow.
        """

    def write(self, track: str, sample: Sample) -> None:
        """A sample on the output clock, in the ticks of its track."""

    def flush(self) -> None:
        """The publisher is gone: what is buffered won't be continued."""

    def end(self) -> None:
        """Nothing follows."""
