"""Tags with names of their own, and those that only videos have."""

import pytest

from server.catalog import events, tag_names
from server.catalog.database import Database, Transaction
from server.catalog.limits import Taken, TooMany
from server.catalog.models import DEFAULT_PROJECT, Video


async def _video(transaction: Transaction, *tags: str) -> Video:
    row = Video(project_id=DEFAULT_PROJECT, title="x", tags=list(tags))
    transaction.add(row)
    await transaction.flush()
    return row


async def test_tags_of_videos_are_tags_with_one_id(database: Database) -> None:
    async with database.write() as transaction:
        await _video(transaction, "cats", "dogs")
        await _video(transaction, "cats")
        made = await tag_names.add(transaction, DEFAULT_PROJECT, "birds")
        taken_up = await tag_names.add(transaction, DEFAULT_PROJECT, "dogs")
        found = await tag_names.every(transaction, DEFAULT_PROJECT)
        assert [(each.value, each.videos) for each in found] == [("birds", 0), ("cats", 2), ("dogs", 1)]
        assert found[1].id == tag_names.id_of(DEFAULT_PROJECT, "cats")
        assert await tag_names.get(transaction, DEFAULT_PROJECT, made.id) == made
        assert await tag_names.get(transaction, "pr2", made.id) is None
        with pytest.raises(Taken):
            await tag_names.add(transaction, DEFAULT_PROJECT, "dogs")
    assert taken_up.videos == 1


async def test_a_name_is_changed_for_all_videos(database: Database) -> None:
    async with database.write() as transaction:
        video = await _video(transaction, "cats", "dogs")
        (cats, _) = await tag_names.every(transaction, DEFAULT_PROJECT)
        renamed = await tag_names.change(transaction, DEFAULT_PROJECT, cats, "birds", archived=True)
        assert (renamed.id, renamed.value, renamed.archived_at is not None) == (cats.id, "birds", True)
        assert video.tags == ["birds", "dogs"]
        with pytest.raises(Taken):
            await tag_names.change(transaction, DEFAULT_PROJECT, renamed, "dogs", archived=False)
        back = await tag_names.change(transaction, DEFAULT_PROJECT, renamed, "birds", archived=False)
        assert back.archived_at is None
        again = await tag_names.add(transaction, DEFAULT_PROJECT, "cats")
        assert again.id != cats.id
        await tag_names.remove(transaction, DEFAULT_PROJECT, back)
        assert video.tags == ["dogs"]
        told = await events.of_object(transaction, DEFAULT_PROJECT, cats.id)
    assert [each.type for each in told] == ["tag.updated", "tag.updated", "tag.deleted"]


async def test_a_renamed_tag_keeps_its_id_for_itself(database: Database) -> None:
    async with database.write() as transaction:
        one = await tag_names.add(transaction, DEFAULT_PROJECT, "cats")
        two = await _renamed(transaction, one, "birds")
        video = await _video(transaction, "birds", "cats")
        birds, cats = await tag_names.every(transaction, DEFAULT_PROJECT)
        assert birds.id == two.id == one.id != cats.id
        assert await tag_names.get(transaction, DEFAULT_PROJECT, cats.id) == cats
        third = await _renamed(transaction, cats, "dogs")  # the id it was shown with is a row's now, too
        video.tags = [*video.tags, "cats"]
        await transaction.flush()
        (_, cats, dogs) = found = await tag_names.every(transaction, DEFAULT_PROJECT)
        assert (dogs.id, len({each.id for each in found})) == (third.id, 3)
        assert (await tag_names.add(transaction, DEFAULT_PROJECT, "cats")).id == cats.id
        await tag_names.remove(transaction, DEFAULT_PROJECT, birds)
        assert video.tags == ["dogs", "cats"]


async def _renamed(transaction: Transaction, known: tag_names.Known, value: str) -> tag_names.Known:
    return await tag_names.change(transaction, DEFAULT_PROJECT, known, value, archived=False)


async def test_too_many_to_change_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_names, "VIDEOS_LIMIT", 1)
    monkeypatch.setattr(tag_names, "MOST", 1)
    async with database.write() as transaction:
        await _video(transaction, "cats")
        await _video(transaction, "cats")
        (cats,) = await tag_names.every(transaction, DEFAULT_PROJECT)
        with pytest.raises(TooMany, match="More than 1 videos"):
            await tag_names.remove(transaction, DEFAULT_PROJECT, cats)
        with pytest.raises(TooMany, match="1 tags at most"):
            await tag_names.add(transaction, DEFAULT_PROJECT, "dogs")
