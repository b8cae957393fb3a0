"""Repositories: life cycles, lists, tenants, events."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from server import clock
from server.catalog import broadcasts, events, keys, live_streams, uploads, videos
from server.catalog.database import Database
from server.catalog.listing import Paging
from server.catalog.models import (
    DEFAULT_PROJECT,
    Broadcast,
    LiveStream,
    Project,
    Upload,
    UploadToken,
    Video,
)


def video(title: str = "A", **more: object) -> Video:
    return Video(project_id=DEFAULT_PROJECT, title=title, **more)


@pytest.mark.parametrize(
    "table", [videos.TRANSITIONS, live_streams.TRANSITIONS, broadcasts.TRANSITIONS, uploads.TRANSITIONS]
)
def test_every_state_that_can_be_reached_has_a_line(table: Mapping[str, frozenset[str]]) -> None:
    assert {state for states in table.values() for state in states} <= set(table)


async def test_each_change_of_state_is_an_event_with_the_objects_next_sequence(database: Database) -> None:
    async with database.write() as transaction:
        made = await videos.add(transaction, video())
        await videos.move(transaction, made, "uploading")
        await videos.move(transaction, made, "pre-processing")
        await videos.move(transaction, made, "done", playable=True)
        other = await videos.add(transaction, video())

    async with database.read() as transaction:
        rows = await events.of_object(transaction, DEFAULT_PROJECT, made.id)
        others = await events.of_object(transaction, DEFAULT_PROJECT, other.id)
    assert [(row.sequence, row.type) for row in rows] == [
        (1, "video.created"),
        (2, "video.uploading"),
        (3, "video.pre-processing"),
        (4, "video.done"),
    ]
    assert rows[3].payload == {"videoId": made.id, "state": "done", "playable": True}
    assert [row.sequence for row in others] == [1]


async def test_a_video_does_not_leap(database: Database) -> None:
    async with database.write() as transaction:
        made = await videos.add(transaction, video())

        with pytest.raises(videos.WrongState, match="is pending, it can't become processing"):
            await videos.move(transaction, made, "processing")


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (videos.Filter(), ["100% Möwe", "Sea"]),
        (videos.Filter(title="MÖWE"), ["100% Möwe"]),
        (videos.Filter(title="SEA"), ["Sea"]),
        (videos.Filter(title="100%"), ["100% Möwe"]),
        (videos.Filter(title="_"), []),
        (videos.Filter(tags=["a"]), ["100% Möwe", "Sea"]),
        (videos.Filter(tags=["a", "b"]), ["Sea"]),
        (videos.Filter(tags=["A"]), []),
        (videos.Filter(metadata={"k": "v"}), ["Sea"]),
        (videos.Filter(metadata={"k": "x"}), []),
        (videos.Filter(description="calm"), ["Sea"]),
        (videos.Filter(live_stream_id="li1"), []),
    ],
)
async def test_a_list_is_narrowed(wanted: videos.Filter, titles: list[str], database: Database) -> None:
    async with database.write() as transaction:
        await videos.add(transaction, video("Sea", tags=["a", "b"], meta=[{"key": "k", "value": "v"}],
                                            description="Calm"))  # fmt: skip
        await videos.add(transaction, video("100% Möwe", tags=["a"]))

    async with database.read() as transaction:
        found = await videos.page(transaction, DEFAULT_PROJECT, wanted, Paging(sort_by="title"))

    assert [row.title for row in found.rows] == titles
    assert found.total == len(titles)


async def test_pages_do_not_overlap_and_count_all(database: Database) -> None:
    async with database.write() as transaction:
        for _ in range(7):
            await videos.add(transaction, video("same"))

    seen = []
    async with database.read() as transaction:
        for number in (1, 2, 3):
            page = await videos.page(
                transaction, DEFAULT_PROJECT, videos.Filter(), Paging(number, 3, "title", number == 0)
            )
            seen += [row.id for row in page.rows]
            assert (page.total, page.pages) == (7, 3)

    assert len(seen) == len(set(seen)) == 7


async def test_another_projects_rows_are_not_there(database: Database) -> None:
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="Other"))
        await transaction.flush()
        made = await videos.add(transaction, Video(project_id="pr2", title="hidden"))
        stream = await live_streams.add(
            transaction, LiveStream(project_id="pr2", name="hidden", stream_key=live_streams.new_stream_key())
        )

    async with database.read() as transaction:
        assert await videos.get(transaction, DEFAULT_PROJECT, made.id) is None
        assert await live_streams.get(transaction, DEFAULT_PROJECT, stream.id) is None
        assert (await videos.page(transaction, DEFAULT_PROJECT, videos.Filter(), Paging())).total == 0
        assert (await live_streams.page(transaction, DEFAULT_PROJECT, Paging())).total == 0


async def test_a_stream_key_survives_every_encoders_url_field() -> None:
    made = {live_streams.new_stream_key() for _ in range(100)}

    assert len(made) == 100
    assert all(set(key) <= set("0123456789abcdef-") for key in made)


async def test_a_broadcast_lives_and_ends(database: Database) -> None:
    async with database.write() as transaction:
        stream = await live_streams.add(
            transaction, LiveStream(project_id=DEFAULT_PROJECT, name="A", stream_key="k")
        )
        broadcast = await broadcasts.add(
            transaction,
            Broadcast(project_id=DEFAULT_PROJECT, live_stream_id=stream.id, protocol="rtmp", latency_mode="low",
                      target_duration_s=4),
        )  # fmt: skip
        for state in ("live", "interrupted", "live"):
            await broadcasts.move(transaction, broadcast, state)
        assert [row.id for row in await broadcasts.on_air(transaction)] == [broadcast.id]
        await broadcasts.move(transaction, broadcast, "ended")
        assert await broadcasts.on_air(transaction) == []
        with pytest.raises(ValueError, match="it can't become live"):
            await broadcasts.move(transaction, broadcast, "live")
        assert (await live_streams.by_key(transaction, "k")) is stream


async def test_an_expired_upload_token_opens_nothing(database: Database) -> None:
    now = clock.now()
    async with database.write() as transaction:
        past = await uploads.add_token(
            transaction, UploadToken(project_id=DEFAULT_PROJECT, ttl_s=1, expires_at=now - timedelta(seconds=1))
        )
        good = await uploads.add_token(transaction, UploadToken(project_id=DEFAULT_PROJECT))

        assert await uploads.token(transaction, past.id) is None
        assert await uploads.token(transaction, good.id) is good


async def test_idle_uploads_expire_and_finished_ones_do_not(database: Database) -> None:
    now = clock.now()
    async with database.write() as transaction:
        made = await videos.add(transaction, video())
        idle, done = [
            await uploads.add(
                transaction,
                Upload(project_id=DEFAULT_PROJECT, video_id=made.id, protocol="tus",
                       expires_at=now - timedelta(seconds=1)),
            )
            for _ in range(2)
        ]  # fmt: skip
        await uploads.move(transaction, done, "uploaded")

        assert [row.id for row in await uploads.expired(transaction, now)] == [idle.id]


async def test_a_key_is_kept_as_a_hash(database: Database) -> None:
    async with database.write() as transaction:
        key, secret = await keys.create(transaction, DEFAULT_PROJECT, "test", ["*"])

    assert secret not in repr(vars(key))
    async with database.read() as transaction:
        found = await keys.by_secret(transaction, secret)
        assert found
        assert found.id == key.id
        assert keys.usable(found)
        assert await keys.by_secret(transaction, secret + "x") is None
        for event in await events.of_object(transaction, DEFAULT_PROJECT, key.id):
            assert secret not in repr(event.payload)


async def test_a_revoked_or_expired_key_is_not_usable(database: Database) -> None:
    async with database.write() as transaction:
        expired, _ = await keys.create(
            transaction, DEFAULT_PROJECT, "old", ["*"], expires_at=clock.now() - timedelta(seconds=1)
        )
        revoked, _ = await keys.create(transaction, DEFAULT_PROJECT, "gone", ["*"])
        revoked.revoked_at = clock.now()

    assert not keys.usable(expired)
    assert not keys.usable(revoked)


async def test_a_setting_is_made_once(database: Database) -> None:
    async with database.write() as transaction:
        assert await keys.setting(transaction, "token_secret", "first") == "first"
    async with database.write() as transaction:
        assert await keys.setting(transaction, "token_secret", "second") == "first"
