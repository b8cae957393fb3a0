"""A transcoder that can't keep up, or is not let: what is given up, and what its sender sees of it."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from server.media import transcoder
from server.media.child import ChildFailed, Children
from server.media.ladder import Wish
from server.media.transcoder import TOO_SLOW, Transcoder
from server.media.transcoding import MAX_UNSENT_BYTES, Settings, Transcoding
from server.media.wire import Config, Dropped, Message, Unit
from tests.harness.media import clip
from tests.unit.media.coded import coded
from tests.unit.media.heard import PATIENCE_S, Heard, config_of


class Link:
    """Remembers what is said, where a socket would be."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def send(self, message: Message) -> None:
        self.said.append(message)

    @property
    def dropped(self) -> list[Message]:
        return [message for message in self.said if isinstance(message, Dropped)]


def test_the_costliest_rendition_is_given_up_and_the_others_go_on() -> None:
    source, link = coded(clip(3, size="320x180", gop_s=1)), Link()
    running = Transcoder(link, "libx264")
    running._begin(config_of(source, wishes=[Wish(90), Wish(144)]))
    generation = running._generation
    assert generation is not None
    half = len(source.units) // 2
    for unit in source.units[:half]:
        generation.take(unit)
    running._give_one_up()
    for unit in source.units[half:]:
        generation.take(unit)
    running._finish()
    assert link.dropped == [Dropped("144p", TOO_SLOW)]
    tracks = {message.facts["name"]: message.track for message in link.said if isinstance(message, Config)}
    made = {name: [m.pts for m in link.said if isinstance(m, Unit) and m.track == track]
            for name, track in tracks.items()}  # fmt: skip
    assert made["90p"] == [unit.pts for unit in source.units]
    assert 0 < len(made["144p"]) <= half
    assert [m.pts for m in link.said if isinstance(m, Unit) and m.key and m.track == tracks["90p"]] == source.keys


def test_what_was_given_up_is_not_made_in_the_next_generation_and_nothing_is_left_to_give_up() -> None:
    source, link = coded(clip(2, size="320x180")), Link()
    running = Transcoder(link, "libx264")
    for number in range(3):
        running._begin(config_of(source, number, wishes=[Wish(90), Wish(144)]))
        assert running._generation is not None
        for unit in source.units[:10]:
            running._generation.take(unit)
        running._give_one_up()
        running._finish()
    assert [message.name for message in link.dropped if isinstance(message, Dropped)] == ["144p", "90p"]
    running._give_one_up()
    assert len(link.dropped) == 2


def test_how_far_behind_it_is() -> None:
    source, link = coded(clip(2, size="320x180")), Link()
    running = Transcoder(link, "libx264")
    assert running._behind_s() == 0.0
    running._begin(config_of(source, wishes=[Wish(90)]))
    assert running._behind_s() == 0.0  # nothing is being made yet
    generation = running._generation
    assert generation is not None
    for unit in source.units[:20]:
        generation.take(unit)
    generation.finish()
    running._inbox.newest = source.units[19].dts + 180_000
    assert running._behind_s() == pytest.approx(2.0, abs=0.01)
    assert running._status(2.0) == {"behindMs": 2000, "pictures": 20, "damaged": 0}


def _pid_of_transcoder() -> int:
    for path in Path("/proc/self/task").glob("*/children"):
        for pid in path.read_text().split():
            if transcoder.__name__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise AssertionError("no child")


async def test_a_child_that_takes_nothing_holds_nobody_up() -> None:
    source, heard = coded(clip(2, size="320x180")), Heard()
    large = source.units[0]._replace(data=bytes(1 << 20))
    async with Children(1) as children:
        child = Transcoding(children, Settings(), heard)
        running = asyncio.ensure_future(child.run())
        async with asyncio.timeout(PATIENCE_S):
            child.send(config_of(source, wishes=[Wish(90)]), *source.units)
            while not heard.units[0]:
                await asyncio.sleep(0.01)
            pid = _pid_of_transcoder()
            os.kill(pid, signal.SIGSTOP)
            sent = 0
            while child.writable:
                child.send(large)
                sent += len(large.data)
                await asyncio.sleep(0)
            assert sent <= MAX_UNSENT_BYTES + (2 << 20)
            os.kill(pid, signal.SIGCONT)
            while not child.writable:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])


async def test_a_child_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.media.transcoding.SILENT_S", 1.5)
    source, heard = coded(clip(2, size="320x180")), Heard()
    async with Children(1) as children:
        child = Transcoding(children, Settings(), heard)
        running = asyncio.ensure_future(child.run())
        async with asyncio.timeout(PATIENCE_S):
            child.send(config_of(source, wishes=[Wish(90)]), *source.units)
            while not heard.units[0]:
                await asyncio.sleep(0.01)
            os.kill(_pid_of_transcoder(), signal.SIGSTOP)
            with pytest.raises(ChildFailed, match="timeout: nothing was heard of it"):
                await running
