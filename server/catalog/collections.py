"""Collections: ordered lists of videos, which lie in any folder and may be in many collections.

A place counts from 0 among the videos that are there. Discarded ones keep theirs, unseen, until they are taken back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, delete, func, select, update

from server.catalog import events, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video
from server.catalog.organisation_models import Collection, CollectionVideo

MOST = 10_000  # collections of a project
MOST_VIDEOS = 10_000  # of a collection: its ranks are moved by one statement

SORT_COLUMNS = {"name": Collection.name, "createdAt": Collection.created_at, "updatedAt": Collection.updated_at}


class TooMany(Exception):
    """There are as many as there may be; a sentence which."""


async def add(transaction: Transaction, collection: Collection) -> Collection:
    """A new collection and its event. Raises TooMany."""
    there = select(func.count()).where(Collection.project_id == collection.project_id)
    if (await transaction.scalar(there) or 0) >= MOST:
        raise TooMany(f"A project has {MOST} collections at most.")
    transaction.add(collection)
    await transaction.flush()
    await _tell(transaction, collection, "created")
    return collection


async def get(transaction: Transaction, project_id: str, collection_id: str) -> Collection | None:
    row = await transaction.get(Collection, collection_id)
    return row if row is not None and row.project_id == project_id else None


async def page(
    transaction: Transaction, project_id: str, paging: Paging, video_id: str | None = None
) -> Page[Collection]:
    """Newest first unless told otherwise; with `video_id` those that the video is in."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "createdAt", True)
    query = select(Collection).where(Collection.project_id == project_id)
    if video_id is not None:
        query = query.join(CollectionVideo).where(CollectionVideo.video_id == video_id)
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Collection.created_at, Collection.id)


async def change(transaction: Transaction, collection: Collection, columns: Mapping[str, Any]) -> None:
    for name, value in columns.items():
        setattr(collection, name, value)
    await _tell(transaction, collection, "updated", changed=sorted(columns))


async def remove(transaction: Transaction, collection: Collection) -> None:
    """Its videos stay where they are."""
    await transaction.delete(collection)
    await _tell(transaction, collection, "deleted")


async def videos(transaction: Transaction, collection: Collection, paging: Paging) -> Page[Video]:
    """In their order."""
    return await listing.fetch(transaction, _there(collection), paging, {}, CollectionVideo.rank, Video.id)


async def counts(transaction: Transaction, collection_ids: Sequence[str]) -> Mapping[str, int]:
    """How many videos are in each."""
    found = (
        select(CollectionVideo.collection_id, func.count())
        .join(Video, Video.id == CollectionVideo.video_id)
        .where(CollectionVideo.collection_id.in_(collection_ids), Video.discarded_at.is_(None))
        .group_by(CollectionVideo.collection_id)
    )
    known = {row[0]: row[1] for row in await transaction.execute(found)}
    return {each: known.get(each, 0) for each in collection_ids}


async def put(transaction: Transaction, collection: Collection, video_ids: Sequence[str], place: int | None) -> None:
    """These, in this order, from the place on, None: at the end. Those that are in it already move. Raises TooMany."""
    wanted = list(dict.fromkeys(video_ids))
    moved = await _take_out(transaction, collection, wanted)
    held = select(func.count()).where(CollectionVideo.collection_id == collection.id)
    if (await transaction.scalar(held) or 0) + len(wanted) > MOST_VIDEOS:
        raise TooMany(f"A collection has {MOST_VIDEOS} videos at most.")
    rank = await _make_room(transaction, collection, place, len(wanted))
    for number, video_id in enumerate(wanted):
        ids = {"collection_id": collection.id, "video_id": video_id, "project_id": collection.project_id}
        transaction.add(CollectionVideo(**ids, rank=rank + number))
    what = "moved" if moved == len(wanted) else "added"
    await _tell(transaction, collection, f"videos.{what}", videoIds=wanted, position=place)


async def has(transaction: Transaction, collection: Collection, video_id: str) -> bool:
    there = _there(collection).where(Video.id == video_id)
    return await transaction.scalar(there.with_only_columns(Video.id)) is not None


async def take_out(transaction: Transaction, collection: Collection, video_id: str) -> None:
    """The video stays where it is."""
    await _take_out(transaction, collection, [video_id])
    await _tell(transaction, collection, "videos.removed", videoIds=[video_id])


async def _take_out(transaction: Transaction, collection: Collection, video_ids: Sequence[str]) -> int:
    rows = delete(CollectionVideo).where(
        CollectionVideo.collection_id == collection.id, CollectionVideo.video_id.in_(video_ids)
    )
    return len(list(await transaction.scalars(rows.returning(CollectionVideo.video_id))))


async def _make_room(transaction: Transaction, collection: Collection, place: int | None, size: int) -> int:
    """The rank of the first of so many new ones."""
    if place is not None:
        ranks = _there(collection).with_only_columns(CollectionVideo.rank)
        at: int | None = await transaction.scalar(ranks.order_by(CollectionVideo.rank).offset(place).limit(1))
        if at is not None:
            behind = update(CollectionVideo).where(
                CollectionVideo.collection_id == collection.id, CollectionVideo.rank >= at
            )
            await transaction.execute(behind.values(rank=CollectionVideo.rank + size))
            return at
    last = select(func.max(CollectionVideo.rank)).where(CollectionVideo.collection_id == collection.id)
    return (await transaction.scalar(last) or 0) + 1


def _there(collection: Collection) -> Select[Video]:
    """The videos that are seen in it."""
    return (
        select(Video)
        .join(CollectionVideo, CollectionVideo.video_id == Video.id)
        .where(CollectionVideo.collection_id == collection.id, Video.discarded_at.is_(None))
    )


async def _tell(transaction: Transaction, collection: Collection, what: str, **more: Any) -> None:
    payload = {"collectionId": collection.id, "name": collection.name, **more}
    await events.record(transaction, collection.project_id, collection.id, f"collection.{what}", payload)
