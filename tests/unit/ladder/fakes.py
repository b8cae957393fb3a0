"""A child and a packager that only remember."""

import asyncio
from collections.abc import Callable, Iterable

from server.formats.sample import Sample, TrackConfig
from server.media.child import ChildFailed
from server.media.wire import Message


class FakeTranscoder:
    """Lives until it is told to finish, fails, or is cancelled."""

    def __init__(self, hear: Callable[[Message], None] = lambda message: None) -> None:
        self.hear = hear
        self.writable = True
        self.sent: list[Message] = []
        self.finished = False
        self._end: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, *messages: Message) -> None:
        self.sent += messages

    def took(self) -> list[Message]:
        taken, self.sent = self.sent, []
        return taken

    def finish(self) -> None:
        self.finished = True
        self._end.set_result(None)

    def fail(self) -> None:
        self._end.set_exception(ChildFailed("crashed", "ended with -11"))

    async def run(self) -> None:
        await self._end


class FakePackager:
    def __init__(self) -> None:
        self.expected: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.configs: dict[str, TrackConfig] = {}
        self.samples: dict[str, list[Sample]] = {}

    def configure(self, track: str, config: TrackConfig, generation: int) -> None:
        self.calls.append((f"configure {generation}", track))
        self.configs[track] = config

    def write(self, track: str, sample: Sample) -> None:
        self.samples.setdefault(track, []).append(sample)

    def expect(self, names: Iterable[str]) -> None:
        self.expected = list(names)

    def drop(self, name: str) -> None:
        self.calls.append(("drop", name))
