"""The look at every publisher, once a second."""

import asyncio
from dataclasses import replace

import pytest

from server import clock
from server.ingest import monitor
from server.ingest.health.episodes import News
from server.ingest.health.reading import Link
from server.ingest.monitor import Monitor, read
from server.ingest.on_air import Facts, Publisher, Stage
from tests.unit.ingest.conftest import FakeConnection, Studio, send, until


class Told:
    """What a monitor of a studio says."""

    def __init__(self, studio: Studio) -> None:
        self.news: list[tuple[str, bool]] = []
        self.troubles: list[tuple[Publisher, str]] = []
        self.monitor = Monitor(studio.broadcasts.all, self._on_news, lambda *trouble: self.troubles.append(trouble))

    def _on_news(self, stage: Stage, news: News) -> None:
        self.news.append((news.warning.code, news.active))


async def test_a_reading_of_what_is_on_air(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    assert isinstance(publisher.connection, FakeConnection)
    publisher.connection.known = Facts("OBS", "192.0.2.1", 25.0, 1e6, Link(rtt_ms=30))

    found = read(studio.showing(live), publisher, clock.monotonic())

    assert (found.video_frames, found.audio_frames, found.has_video, found.has_audio) == (75, 75, True, True)
    assert found.key_intervals == (2.0,)
    assert (found.announced_frame_rate, found.announced_bitrate, found.link) == (25.0, 1e6, Link(rtt_ms=30))
    assert (found.codec[:4], found.returns, found.jumps) == ("avc1", 0, 0)
    assert found.skew_ms is not None
    assert found.keyless_s < 5


async def test_renditions_that_were_given_up_are_warned_of(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    studio.showing(live).given_up = given_up = set[str]()
    assert read(studio.showing(live), publisher, clock.monotonic()).given_up == ""
    given_up |= {"720p", "480p"}
    told = Told(studio)

    for second in range(7):
        told.monitor.look(clock.monotonic() + second, second * 1000)

    assert ("renditions-given-up", True) in told.news


async def test_warnings_reach_the_events(studio: Studio) -> None:
    live, _ = await studio.on_air()
    told = Told(studio)
    for second in range(60, 68):
        told.monitor.look(clock.monotonic() + second, second * 1000)
    assert told.news == [("no-data", True), ("no-key-frame", True)]

    on_air = studio.showing(live)
    warning = replace(on_air.health.episodes.active[0], message="a sentence")
    studio.broadcasts.warned(on_air, News(warning, True))

    async def warned() -> bool:
        return "live-stream.health.warning" in await studio.event_types(live)

    await until(warned)


async def test_who_can_not_be_shown_is_sent_away(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    live = await studio.live_stream()
    publisher = await studio.publish(connection := FakeConnection())
    monkeypatch.setattr(type(studio.showing(live).stream), "trouble", lambda *_: "no key frame in 15 s")
    told = Told(studio)

    told.monitor.look(clock.monotonic(), clock.wall_ms())
    assert told.troubles == [(publisher, "no key frame in 15 s")]
    studio.broadcasts.send_away(*told.troubles[0])

    await until(lambda: studio.over(publisher.broadcast_id))
    assert connection.closed == ["no key frame in 15 s"]
    assert (await studio.event_types(live))[1:4] == [
        "live-stream.connected", "live-stream.rejected", "live-stream.ended"
    ]  # fmt: skip
    assert studio.showing(live).health.faults[-1].text == "no key frame in 15 s"


async def test_what_is_over_is_not_looked_at(studio: Studio) -> None:
    live, _ = await studio.on_air()
    await studio.broadcasts.complete(live)
    told = Told(studio)

    told.monitor.look(0.0, 0)

    assert studio.showing(live).health.series.points == []


async def test_an_interruption_is_seen(studio: Studio) -> None:
    live, publisher = await studio.on_air()
    told = Told(studio)
    told.monitor.look(1000.0, 0)
    publisher.closed("the connection was lost", ended=False)

    told.monitor.look(1001.0, 1000)

    assert studio.showing(live).health.measures is None
    assert [fault.text for fault in studio.showing(live).health.faults] == ["the connection was lost"]


async def test_it_goes_on_after_a_fault(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "EVERY_S", 0.001)
    live, publisher = await studio.on_air()
    looks = asyncio.Event()
    faults = iter([ValueError("broken")])

    def stages() -> list[Stage]:
        if fault := next(faults, None):
            raise fault
        looks.set()
        return [studio.showing(live)]

    async with Monitor(stages, lambda *_: None, lambda *_: None).running():
        await asyncio.wait_for(looks.wait(), 30)

    send(publisher, 1, start_ms=4000)
