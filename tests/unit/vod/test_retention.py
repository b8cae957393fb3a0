"""That what a rule lets go goes: discarded or deleted, with its event, and with room made."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog import events, live_streams, retention, videos
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Video
from server.catalog.retention import Due, Old, Rule
from server.vod import life
from server.vod.life import Life
from server.vod.retention import AT_ONCE, Retention, crowded_out
from tests.unit.vod.conftest import Archive

NOW = datetime.now(UTC)  # when the tests were collected


class House:
    """Uploaded videos, and recordings of live streams."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.free = 1 << 40
        self.restore_days = 0.0

    async def add(self, age_days: float, live: LiveStream | None = None, **fields: Any) -> str:
        row = Video(
            project_id=DEFAULT_PROJECT, title="a video", source="live" if live else "upload", state="done",
            live_stream_id=live.id if live else None, created_at=NOW - timedelta(days=age_days), source_bytes=100,
            **fields,
        )  # fmt: skip
        async with self.archive.database.write() as transaction:
            await videos.add(transaction, row)
        return row.id

    async def live(self, stated: dict[str, Any] | None) -> LiveStream:
        row = LiveStream(
            project_id=DEFAULT_PROJECT, name="live", stream_key=live_streams.new_stream_key(), retention=stated
        )
        async with self.archive.database.write() as transaction:
            await live_streams.add(transaction, row)
        return row

    async def round(self, recordings: Rule = Rule(), uploads: Rule = Rule(), low_water: int = 0) -> int:  # noqa: B008
        async def release(broadcast_id: str) -> None:
            raise AssertionError("of the job")

        archive = self.archive
        ends = Life(archive.database, archive.layout, archive.enqueue, self.restore_days, release, lambda video: None)
        made = Retention(archive.database, ends, recordings, uploads, low_water, lambda: self.free)
        gone = await made.round()
        assert gone == made.expired
        return gone

    async def left(self, *ids: str) -> list[str]:
        async with self.archive.database.read() as transaction:
            rows = [await videos.get(transaction, DEFAULT_PROJECT, id) for id in ids]
        return [row.id for row in rows if row]

    async def told(self, id: str) -> list[tuple[str, dict[str, Any]]]:
        async with self.archive.database.read() as transaction:
            found = await events.of_object(transaction, DEFAULT_PROJECT, id)
        return [(event.type, event.payload) for event in found]


@pytest.fixture
def house(archive: Archive) -> House:
    return House(archive)


def test_the_oldest_make_room_after_what_was_discarded() -> None:
    found = [
        Old(id, 100, NOW - timedelta(days=age), gone)
        for id, age, gone in (("a", 1, False), ("b", 30, False), ("c", 8, False), ("d", 3, True))
    ]

    assert crowded_out(found, 250) == [Due(id, "the disk is nearly full") for id in ("d", "b", "c")]
    assert crowded_out(found, 0) == []


async def test_an_uploaded_video_goes_with_its_bytes_and_says_why(house: House) -> None:
    old, new, kept = await house.add(8), await house.add(1), await house.add(80, tags=["evergreen"])
    rule = Rule(days=7, keep_tags=("evergreen",))

    assert await house.round(uploads=rule) == 1
    assert await house.round(uploads=rule) == 0

    assert await house.left(old, new, kept) == [new, kept]
    told = await house.told(old)
    assert [kind for kind, _ in told][-2:] == ["video.expired", "video.deleted"]
    assert told[-2][1]["reason"] == "older than 7 days"
    assert datetime.fromisoformat(told[-2][1]["deletesAt"]) - datetime.now(UTC) < timedelta(minutes=5)
    assert [kind for kind, _ in house.archive.ordered] == [life.JOB]


async def test_what_can_be_taken_back_is_discarded_first_and_the_event_tells_until_when(house: House) -> None:
    house.restore_days = 30
    live = await house.live({"days": 7})
    uploaded, recorded = await house.add(8), await house.add(8, live)

    assert await house.round(uploads=Rule(days=7)) == 2
    assert await house.round(uploads=Rule(days=7)) == 0

    for id in (uploaded, recorded):
        row = await house.archive.row(id)
        assert row.discarded_at is not None
        assert row.deletes_at is not None
        told = await house.told(id)
        assert [kind for kind, _ in told][-2:] == ["video.expired", "video.discarded"]
        assert abs(datetime.fromisoformat(told[-2][1]["deletesAt"]) - row.deletes_at) < timedelta(minutes=1)
    assert house.archive.ordered == []


async def test_many_go_in_one_round(house: House) -> None:
    for age in range(2 * AT_ONCE + 2):
        await house.add(age + 1)

    assert await house.round(uploads=Rule(count=1)) == 2 * AT_ONCE + 1


async def test_the_server_s_rule_is_for_those_without_one(house: House) -> None:
    ruled, free = await house.live({"count": 5}), await house.live(None)
    kept = [await house.add(1, ruled), await house.add(2, ruled), await house.add(1, free), await house.add(30)]
    old = await house.add(2, free)

    assert await house.round(recordings=Rule(count=1)) == 1
    assert await house.left(*kept, old) == kept


async def test_a_full_disk_takes_the_oldest_recordings_with_a_rule_and_no_upload(house: House) -> None:
    ruled, free = await house.live({"count": 50}), await house.live(None)
    stay = [await house.add(100), await house.add(100, free), await house.add(1, ruled)]
    gone = [await house.add(9, ruled), await house.add(8, ruled)]
    house.free, house.restore_days = 850, 30

    assert await house.round(uploads=Rule(count=50), low_water=1000) == 2
    assert await house.left(*stay, *gone) == stay
    assert [kind for kind, _ in await house.told(gone[0])][-2:] == ["video.expired", "video.deleted"]  # at once


async def test_what_a_rule_let_go_counts_for_the_room_that_is_missing(house: House) -> None:
    live = await house.live({"count": 2})
    ages = [await house.add(age, live) for age in (3, 2, 1)]
    house.free = 900

    assert await house.round(low_water=1000) == 1
    assert await house.left(*ages) == ages[1:]


def change_after(monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[], Awaitable[None]]) -> None:
    """Somebody else is faster than who has looked by this function."""
    really_look = getattr(retention, name)

    async def look(*arguments: Any) -> Any:
        found = await really_look(*arguments)
        if found:
            await change()
        return found

    monkeypatch.setattr(retention, name, look)


@pytest.mark.parametrize("how", ["tagged", "discarded", "another rule"])
async def test_what_its_owner_changes_in_the_last_moment_counts(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    house.restore_days = 30
    id, database = await house.add(8), house.archive.database

    async def change() -> None:
        async with database.write() as transaction:
            video = await videos.find(transaction, id)
            assert video
            if how == "tagged":
                video.tags = ["evergreen"]
            elif how == "discarded":
                await videos.discard(transaction, video, NOW + timedelta(days=90))
            else:
                await retention.change(transaction, DEFAULT_PROJECT, {"videos": {"days": 30}})

    change_after(monkeypatch, "due", change)
    assert await house.round(uploads=Rule(days=7, keep_tags=("evergreen",))) == 0
    assert "video.expired" not in [kind for kind, _ in await house.told(id)]


async def test_what_is_taken_back_in_the_last_moment_makes_no_room(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = await house.live({"count": 50, "keep_tags": ["evergreen"]})
    id = await house.add(1, live, discarded_at=NOW, deletes_at=NOW + timedelta(days=30))
    database = house.archive.database

    async def restore() -> None:
        async with database.write() as transaction:
            video = await videos.find(transaction, id)
            assert video
            await videos.restore(transaction, video)

    house.free = 950
    change_after(monkeypatch, "oldest", restore)
    assert await house.round(low_water=1000) == 0
    assert await house.left(id) == [id]
