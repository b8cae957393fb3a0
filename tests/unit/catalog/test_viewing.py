"""What was watched, as rows, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from server.catalog import viewing
from server.catalog.control_models import PlaybackSession
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Video
from server.catalog.viewing import NUMBERS, Scope

DAY = datetime(2026, 1, 14, tzinfo=UTC)


async def test_what_the_order_puts_first_is_what_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of video n: n sessions, each of n plays, of n seconds."""
    monkeypatch.setattr(viewing, "ROWS_LIMIT", 2)
    scope = Scope(DEFAULT_PROJECT, DAY, DAY + timedelta(days=10))
    async with database.write() as transaction:
        for number in (2, 3, 1):
            video = Video(id=f"vi{number}", project_id=DEFAULT_PROJECT, title="V", duration_s=float(number))
            transaction.add(video)
            for each in range(number):
                session = PlaybackSession(
                    project_id=DEFAULT_PROJECT, media_id=video.id, media_type="video", viewer=f"{each}",
                    loaded_at=DAY, heard_at=DAY, plays=number, ends=number, watched_s=1.4 * number, country="DE",
                    operating_system="Linux", device_type="desktop", browser="Firefox",
                )  # fmt: skip
                transaction.add(session)
        await transaction.flush()
        for name in NUMBERS:
            for falling, wanted in ((True, ["vi3", "vi2"]), (False, ["vi1", "vi2"])):
                found = await viewing.lines(transaction, scope, ["view"], "day", ["video_id"], [(name, falling)])
                assert [line.values[0] for line in found] == wanted, name
        found = await viewing.lines(transaction, scope, ["watch_time"], None, ["video_id"])
    told = [(line.values[0], line.numbers["watch_time"]) for line in found]
    assert told == [("vi1", 1), ("vi2", 6)]
