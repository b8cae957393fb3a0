"""Slates: their feed with time in hand, and what viewers get while a publisher is away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from server.catalog.database import Database
from server.config import LiveConfig
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.ingest.slates import RATE, Feed, Slate, Slates
from server.media.child import ChildFailed, Children
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from tests.harness.mp4 import FakeTrack, mp4
from tests.unit.ingest.conftest import FakeConnection, Studio, send, until
from tests.unit.packager.publishing import AUDIO

MADE = mp4(FakeTrack(count=60, sync=[1]))


class SlateStudio(Studio):
    """With slates in the window."""

    async def start(self) -> "SlateStudio":
        self.slates = Slates(self.layout, cast(Children, None))
        self.store = await self._stack.enter_async_context(SegmentStore(self.layout))
        self.broadcasts = await self._stack.enter_async_context(
            Broadcasts.open(
                self.database, self.store, LiveConfig(), self.recorder.record, self.gone.append, slates=self.slates
            )  # type: ignore[call-arg]
        )
        return self

    def keep(self, live: str, data: bytes = MADE) -> Path:
        path = self.layout.slate(live)
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        return path


@pytest.fixture
async def studio(catalogue_url: str, tmp_path: Path) -> AsyncIterator[SlateStudio]:
    async with Database.open(catalogue_url) as database:
        studio = await SlateStudio(database, Layout(tmp_path)).start()
        yield studio
        await studio.stop()


def test_a_slate_is_read() -> None:
    slate = Slate.of(MADE)

    assert (len(slate.pictures), slate.pictures[0].at, slate.pictures[0].key) == (60, 0, True)
    assert not any(picture.key for picture in slate.pictures[1:])
    assert slate.duration == pytest.approx(60 * slate.pictures[1].at)


@pytest.mark.parametrize("data", [b"", b"no slate", mp4(FakeTrack("audio", 48, 20, 48_000, delta=1024))])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of the file format, in its words
        Slate.of(data)


def test_the_feed_goes_round_with_silence_beside_it() -> None:
    slate = Slate.of(MADE)
    feed = Feed(slate, AUDIO)

    found = [list(feed.due(at)) for at in (0, slate.pictures[1].at - 1, slate.duration, 3 * slate.duration)]

    first, none, second, third = found
    assert [(each.at, each.key) for each in first if not each.sound] == [(0, True)]
    assert none == []
    everything = [*first, *second, *third]
    pictures = [each for each in everything if not each.sound]
    sounds = [each for each in everything if each.sound]
    assert [each.at for each in pictures if each.key] == [0, slate.duration, 2 * slate.duration, 3 * slate.duration]
    steps = {after.at - before.at for before, after in pairwise(pictures)}
    assert len(steps) == 1
    assert len(sounds) == pytest.approx(3 * slate.duration * AUDIO.timescale / RATE / 1024, abs=2)


@pytest.mark.parametrize("sound", [None, replace(AUDIO, codec="opus")])
def test_sound_that_has_no_silence_is_left_out(sound: Any) -> None:
    feed = Feed(Slate.of(MADE), sound)

    assert feed.sound is None
    assert not any(each.sound for each in feed.due(RATE))


async def test_it_fills_the_window_until_the_publisher_is_back(studio: SlateStudio) -> None:
    live, first = await studio.on_air()
    studio.keep(live)
    on_air = studio.showing(live)
    before = on_air.stream.statistics.video_frames

    first.closed("the connection was lost", ended=False)
    await until(lambda: on_air.stream.statistics.video_frames > before)
    assert on_air.state == "interrupted"
    assert on_air.stream.has_video
    second = await studio.publish(FakeConnection("second"))
    shown = on_air.stream.statistics.video_frames
    send(second)

    assert on_air.stream.statistics.video_frames == shown + 75
    await until(lambda: studio.state_is(on_air.broadcast_id, "live"))
    window = on_air.packager.renditions["video"].window
    assert [entry.generation for entry in window.closed if entry.discontinuity] == [1, 2]
    await studio.broadcasts._registry.settle()


async def test_it_fills_what_is_left_of_the_window_after_a_restart(studio: SlateStudio) -> None:
    live, first = await studio.on_air()
    studio.keep(live)
    sound = first.configs["audio"]

    await studio.restart()

    on_air = studio.showing(live)
    assert (on_air.broadcast_id, on_air.sound) == (first.broadcast_id, sound)
    await until(lambda: on_air.stream.statistics.video_frames and on_air.stream.statistics.audio_frames)
    assert on_air.state == "interrupted"
    send(await studio.publish(FakeConnection("second")))
    await until(lambda: studio.state_is(first.broadcast_id, "live"))
    await studio.broadcasts._registry.settle()


async def test_it_ends_with_the_broadcast(studio: SlateStudio) -> None:
    live, first = await studio.on_air()
    studio.keep(live)
    first.closed("the connection was lost", ended=False)
    on_air = studio.showing(live)
    await until(lambda: on_air.health.fillers)

    await studio.broadcasts.complete(live)
    await studio.broadcasts._registry.settle()

    assert on_air.packager.ended


@pytest.mark.parametrize("data", [None, b"no slate"])
async def test_without_one_the_window_is_empty(studio: SlateStudio, data: bytes | None) -> None:
    live, first = await studio.on_air()
    if data:
        studio.keep(live, data)
    first.closed("the connection was lost", ended=False)

    await studio.broadcasts._registry.settle()

    assert studio.showing(live).health.fillers == 0


async def test_a_stop_closes_what_was_shown(studio: SlateStudio) -> None:
    live, first = await studio.on_air()
    studio.keep(live)
    first.closed("the connection was lost", ended=False)
    on_air = studio.showing(live)
    await until(lambda: on_air.health.fillers)

    await studio.stop()

    assert on_air.packager.renditions["video"].window.open is None


async def test_making_and_removing_one(studio: SlateStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    async def make(_: object, media: bytes, width: int, height: int) -> bytes:
        asked.append((width, height))
        return MADE

    monkeypatch.setattr("server.media.calls.slate", make)
    live = await studio.live_stream()

    row, size = await studio.slates.make(live, b"a picture", (853, 481))

    assert asked == [(852, 480)]
    assert (row["width"], row["height"], size) == (852, 480, len(MADE))
    assert studio.layout.slate(live).read_bytes() == MADE
    await studio.slates.remove(live)
    await studio.slates.remove(live)
    assert not studio.layout.slate(live).parent.exists()


async def test_a_child_that_dies_is_a_bad_file(studio: SlateStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    async def make(*_: object) -> bytes:
        raise ChildFailed("crashed", "signal 11")

    monkeypatch.setattr("server.media.calls.slate", make)

    with pytest.raises(Problem, match="uploaded-file-invalid-file"):
        await studio.slates.make("li1", b"bomb")
