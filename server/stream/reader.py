"""What a stream calls."""

from typing import Literal, Protocol

from server.formats.sample import Sample, TrackConfig

Kind = Literal["video", "audio"]


class Reader(Protocol):
    """Who consumes a stream. Called synchronously, in the order things happen; must be quick."""

    def configure(self, config: TrackConfig, generation: int) -> None:
        """A track's configuration; one with a new generation follows a discontinuity and needs a new init segment."""

    def anchor(self, generation: int, epoch_ms: int) -> None:
        """The generation begins: its output time zero is `epoch_ms` on the wall clock."""

    def write(self, kind: Kind, sample: Sample) -> None:
        """A sample on the output clock, in the ticks of its track."""

    def flush(self) -> None:
        """The publisher is gone: what is buffered won't be continued."""

    def end(self) -> None:
        """Nothing follows."""
