"""Whom a stream is written to."""

from dataclasses import dataclass, field

from server.formats.sample import Sample
from server.stream.reader import Reader
from server.stream.statistics import Statistics


@dataclass(slots=True)
class Audience:
    """The readers of a stream, and what is counted on the way to them; shared by all its tracks."""

    readers: tuple[Reader, ...] = ()
    statistics: Statistics = field(default_factory=Statistics)

    def write(self, track: str, sample: Sample) -> None:
        for reader in self.readers:
            reader.write(track, sample)
