"""What is said to a transcoding child, and what is heard of it."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from server.media.ladder import Wish
from server.media.wire import Config, Dropped, Flush, Message, Unit
from tests.unit.media.coded import Coded

WISHES = (Wish(144), Wish(90, bitrate=80_000, frame_rate=15.0))
PATIENCE_S = 50


class Heard:
    """What a child has said, by rendition."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.configs: dict[int, list[Config]] = defaultdict(list)
        self.units: dict[int, list[Unit]] = defaultdict(list)
        self.flushed: list[int] = []
        self._news = asyncio.Event()

    def __call__(self, message: Message) -> None:
        self.messages.append(message)
        match message:
            case Config(track):
                self.configs[track].append(message)
            case Unit(track):
                self.units[track].append(message)
            case Flush(number):
                self.flushed.append(number)
            case _:
                pass
        self._news.set()

    async def until_flushed(self, number: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while number not in self.flushed:
                self._news.clear()
                await self._news.wait()

    @property
    def dropped(self) -> list[Dropped]:
        return [message for message in self.messages if isinstance(message, Dropped)]


def config_of(source: Coded, generation: int = 0, wishes: Sequence[Wish] | None = WISHES) -> Config:
    config = source.config
    facts: dict[str, Any] = {"timescale": 90_000, "width": config.width, "height": config.height, "sar": config.sar}
    facts["wishes"] = None if wishes is None else [asdict(wish) for wish in wishes]
    return Config(0, generation, facts, config.sample_entry)
