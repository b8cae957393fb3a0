"""A reader that only looks: what tracks there are, and whether media comes."""

import asyncio
from collections.abc import Mapping

from server.formats.sample import Sample, TrackConfig
from server.stream.stream import Stream


class Waiting:
    """Attached to a stream until there is something to send."""

    def __init__(self) -> None:
        self._configs: dict[str, TrackConfig] = {}
        self._came = asyncio.Event()

    @classmethod
    def look(cls, stream: Stream) -> Mapping[str, TrackConfig]:
        """The configurations in force."""
        reader = cls()
        stream.attach(reader)
        stream.detach(reader)
        return reader._configs

    @classmethod
    async def media(cls, stream: Stream) -> None:
        """Until the next sample."""
        reader = cls()
        stream.attach(reader)
        try:
            await reader._came.wait()
        finally:
            stream.detach(reader)

    # --- the reader of a stream

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        self._configs[track] = config

    def anchor(self, generation: int, epoch_ms: int) -> None:
        pass

    def write(self, track: str, sample: Sample) -> None:
        self._came.set()

    def flush(self) -> None:
        pass

    def end(self) -> None:
        """Who waits is cancelled by the service."""
