"""Tags that have a name of their own: made before a video has them, renamed for all videos at once, put away.

A tag that only videos have is one too. Its id is made of its words, so that it has the same one each time; where a
renamed tag has kept that id, of its words and a number.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from server import clock, ids
from server.catalog import events, tags, videos
from server.catalog.database import Transaction
from server.catalog.limits import Taken, TooMany
from server.catalog.listing import Paging
from server.catalog.models import Video
from server.catalog.sharing_models import TagName

MOST = 10_000  # tags of a project that are looked at: what is sorted in a blink
VIDEOS_LIMIT = 500  # that are renamed or rid of a tag at once: half a second of the one who writes


@dataclass(frozen=True, slots=True)
class Known:
    """A tag as it is shown. `videos`: how many have it."""

    id: str
    value: str
    videos: int = 0
    archived_at: datetime | None = None
    created_at: datetime | None = None


def id_of(project_id: str, value: str, taken: Collection[str] = ()) -> str:
    """Of a tag that has no row; none of the ids that rows have `taken`."""
    number, found = 0, _made(project_id, value)
    while found in taken:  # each round is one tag that had these words, and was renamed
        number += 1
        found = _made(project_id, f"{value}\0{number}")  # no words hold a NUL
    return found


def _made(project_id: str, words: str) -> str:
    return "ta" + ids.encode(uuid.uuid5(ids.to_uuid("pr", project_id), words))


async def every(transaction: Transaction, project_id: str) -> list[Known]:
    """Rows, and words of videos that have none; by their words."""
    counted = {each.value: each.videos for each in (await _counted(transaction, project_id))}
    rows = await transaction.scalars(select(TagName).where(TagName.project_id == project_id).limit(MOST))
    found = {row.value: _known(row, counted.get(row.value, 0)) for row in rows}
    taken = {each.id for each in found.values()}
    for value, videos_with in counted.items():
        if value not in found:
            found[value] = Known(id_of(project_id, value, taken), value, videos_with)
    return sorted(found.values(), key=lambda each: each.value)


async def add(transaction: Transaction, project_id: str, value: str) -> Known:
    """Raises Taken, TooMany."""
    known = await every(transaction, project_id)
    if any(each.value == value and each.created_at is not None for each in known):
        raise Taken(value)
    if len(known) >= MOST:
        raise TooMany(f"There are {MOST} tags at most.")
    tag_id = id_of(project_id, value, {each.id for each in known if each.created_at is not None})
    row = TagName(id=tag_id, project_id=project_id, value=value)
    transaction.add(row)
    await transaction.flush()
    await _tell(transaction, project_id, row.id, "created", value)
    return _known(row, next((each.videos for each in known if each.value == value), 0))


async def get(transaction: Transaction, project_id: str, tag_id: str) -> Known | None:
    return next((each for each in await every(transaction, project_id) if each.id == tag_id), None)


async def change(transaction: Transaction, project_id: str, known: Known, value: str, archived: bool) -> Known:
    """Videos that have it have its new words. Raises Taken, TooMany."""
    if value != known.value:
        if any(each.value == value for each in await every(transaction, project_id)):
            raise Taken(value)
        await _replace(transaction, project_id, known.value, [value])
    row = await transaction.get(TagName, known.id)
    if row is None:
        row = TagName(id=known.id, project_id=project_id)
        transaction.add(row)
    row.value, row.archived_at = value, (row.archived_at or clock.now()) if archived else None
    await transaction.flush()
    await _tell(transaction, project_id, row.id, "updated", value)
    return _known(row, known.videos)


async def remove(transaction: Transaction, project_id: str, known: Known) -> None:
    """Videos lose it. Raises TooMany."""
    await _replace(transaction, project_id, known.value, [])
    row = await transaction.get(TagName, known.id)
    if row is not None:
        await transaction.delete(row)
    await _tell(transaction, project_id, known.id, "deleted", known.value)


async def _counted(transaction: Transaction, project_id: str) -> Sequence[tags.Tag]:
    return (await tags.page(transaction, project_id, None, Paging(1, MOST))).rows


async def _replace(transaction: Transaction, project_id: str, value: str, by: Sequence[str]) -> None:
    wanted = select(Video).where(Video.project_id == project_id, videos.has_tag(transaction, value))
    rows = list(await transaction.scalars(wanted.limit(VIDEOS_LIMIT + 1)))
    if len(rows) > VIDEOS_LIMIT:
        raise TooMany(f"More than {VIDEOS_LIMIT} videos have the tag: take it off them first.")
    for row in rows:
        kept = [each for tag in row.tags for each in (by if tag == value else [tag])]
        row.tags = list(dict.fromkeys(kept))
        await videos.tell(transaction, row, "updated", {**videos.links(row), "changed": ["tags"]})


def _known(row: TagName, videos_with: int) -> Known:
    return Known(row.id, row.value, videos_with, row.archived_at, row.created_at)


async def _tell(transaction: Transaction, project_id: str, tag_id: str, what: str, value: str) -> None:
    await events.record(transaction, project_id, tag_id, f"tag.{what}", {"tagId": tag_id, "tag": value})
