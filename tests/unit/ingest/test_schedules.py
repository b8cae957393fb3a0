"""Starts and stops by the clock, with the clock in hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server import clock
from server.ingest import schedules
from server.ingest.schedules import Schedules
from tests.unit.ingest.conftest import Studio, until

SECOND = timedelta(seconds=1)


class Diary:
    """Schedules, and what they did; `busy` are live streams where there was something to do."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.done: list[tuple[str, str]] = []
        self.busy = True
        self.fails = 0
        self.schedules = Schedules(studio.database, self._start, self._release, self._stop)

    async def _start(self, live: str) -> bool:
        self._fail()
        self.done.append(("start", live))
        return self.busy

    async def _release(self, live: str) -> bool:
        self._fail()
        self.done.append(("release", live))
        return self.busy

    async def _stop(self, live: str) -> bool:
        self._fail()
        self.done.append(("stop", live))
        return self.busy

    def _fail(self) -> None:
        if self.fails:
            self.fails -= 1
            raise OSError("disk I/O error")

    async def change(self, live: str, **fields: Any) -> None:
        await self.studio.change(live, **fields)
        self.schedules.changed(await self.studio.stream(live))

    async def told(self, live: str) -> list[str]:
        types = await self.studio.event_types(live)
        return [type.rpartition(".")[2] for type in types if ".schedule." in type]


@pytest.fixture
def diary(studio: Studio) -> Diary:
    return Diary(studio)


async def test_each_time_is_kept_once(studio: Studio, diary: Diary) -> None:
    live, now = await studio.live_stream(), clock.now()
    await diary.change(live, starts_at=now + 60 * SECOND, stops_at=now + 120 * SECOND)

    for seconds in (0, 59, 61, 62, 119, 121, 122):
        await diary.schedules.look(now + seconds * SECOND)

    assert diary.done == [("start", live), ("stop", live)]
    assert await diary.told(live) == ["started", "stopped"]


async def test_a_changed_schedule_is_the_one_that_counts(studio: Studio, diary: Diary) -> None:
    live, now = await studio.live_stream(), clock.now()
    await diary.change(live, stops_at=now + 60 * SECOND)
    await diary.change(live, stops_at=now + 600 * SECOND)
    await diary.schedules.look(now + 61 * SECOND)
    assert diary.done == []

    await diary.change(live, stops_at=None)
    await diary.schedules.look(now + 601 * SECOND)
    diary.schedules.deleted(live)

    assert diary.done == []


@pytest.mark.parametrize("seconds", [None, -1])
async def test_who_waits_is_released_where_the_start_is_taken_away(
    studio: Studio, diary: Diary, seconds: int | None
) -> None:
    live, now = await studio.live_stream(), clock.now()
    await diary.change(live, starts_at=now + 600 * SECOND)

    await diary.change(live, starts_at=None if seconds is None else now + seconds * SECOND)
    diary.fails = 1
    for _ in range(3):
        await diary.schedules.look(clock.now())

    assert diary.done == [("release", live)]
    assert await diary.told(live) == []


async def test_what_fails_is_tried_again(studio: Studio, diary: Diary) -> None:
    live, now = await studio.live_stream(), clock.now()
    await diary.change(live, starts_at=now + 60 * SECOND, stops_at=now + 120 * SECOND)
    for seconds, what in ((61, "start"), (121, "stop")):
        diary.fails, diary.done = 1, []

        await diary.schedules.look(now + seconds * SECOND)
        assert diary.done == []
        await diary.schedules.look(now + (seconds + 1) * SECOND)

        assert diary.done == [(what, live)]
    assert await diary.told(live) == ["started", "stopped"]


@pytest.mark.parametrize(("busy", "told"), [(True, ["stopped"]), (False, [])])
async def test_an_end_that_was_missed_comes_with_the_next_start(
    studio: Studio, diary: Diary, busy: bool, told: list[str]
) -> None:
    live = await studio.live_stream(stops_at=datetime(2026, 1, 1, tzinfo=UTC))
    await studio.live_stream("another")
    diary.busy = busy

    async with diary.schedules.running():
        await until(lambda: diary.done)
        await until(lambda: not diary.schedules._plans)

    assert diary.done == [("stop", live)]
    assert await diary.told(live) == told


async def test_an_end_that_was_missed_is_told_once_it_can_be(
    studio: Studio, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await studio.live_stream(stops_at=datetime(2026, 1, 1, tzinfo=UTC))
    tell, answers = diary.schedules._tell, [OSError("disk I/O error")]

    async def told(live_stream_id: str, what: str) -> None:
        diary.busy = False  # nothing is left to do
        if answers:
            raise answers.pop()
        await tell(live_stream_id, what)

    monkeypatch.setattr(diary.schedules, "_tell", told)
    async with diary.schedules.running():
        await until(lambda: not diary.schedules._plans)

    assert await diary.told(live) == ["stopped"]


async def test_it_looks_by_itself(studio: Studio, diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules, "EVERY_S", 0.005)
    live = await studio.live_stream(starts_at=clock.now() + SECOND)  # its row is there before

    async with diary.schedules.running():
        await until(lambda: diary.done == [("start", live)])
