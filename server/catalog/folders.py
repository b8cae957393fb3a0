"""Folders: the tree in which a project keeps its videos. Each video lies in one, or at the top in none.

Names may be alike. A tree has no circles, DEPTH levels and MOST folders at most: what walks it comes to an end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from server.catalog import events, indexing, listing
from server.catalog.database import Transaction
from server.catalog.listing import Page, Paging
from server.catalog.models import Video
from server.catalog.organisation_models import Folder, VideoWords

DEPTH = 16  # levels: more than a person finds the way in, few enough to walk for each answer
MOST = 10_000  # folders of a project
MOST_LIFTED = 10_000  # videos that one statement moves: nobody else writes meanwhile
TOP = "root"  # names the top where an id of a folder could stand

SORT_COLUMNS = {"name": Folder.name, "createdAt": Folder.created_at, "updatedAt": Folder.updated_at}


class TreeError(Exception):
    """The tree would not be one any more; a sentence why."""


class NotEmpty(Exception):
    """There is something in the folder."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; all of it must hold."""

    parent_id: str | None = None  # TOP: those that are within none
    name: str | None = None  # contained in the name, whatever the case


@dataclass(frozen=True, slots=True)
class Contents:
    """What is directly in a folder. Discarded videos don't count."""

    folders: int = 0
    videos: int = 0


async def add(transaction: Transaction, folder: Folder) -> Folder:
    """A new folder and its event; its parent is one of the project's. Raises TreeError."""
    if await count(transaction, folder.project_id) >= MOST:
        raise TreeError(f"A project has {MOST} folders at most.")
    if folder.parent_id is not None:
        _check_depth(len(await path(transaction, folder.project_id, folder.parent_id)) + 1)
    transaction.add(folder)
    await transaction.flush()
    await _tell(transaction, folder, "created")
    return folder


async def get(transaction: Transaction, project_id: str, folder_id: str) -> Folder | None:
    row = await transaction.get(Folder, folder_id)
    return row if row is not None and row.project_id == project_id else None


async def count(transaction: Transaction, project_id: str) -> int:
    return await transaction.scalar(select(func.count()).where(Folder.project_id == project_id)) or 0


async def page(transaction: Transaction, project_id: str, wanted: Filter, paging: Paging) -> Page[Folder]:
    """By their names unless told otherwise."""
    if paging.sort_by is None:
        paging = Paging(paging.page, paging.size, "name", paging.descending)
    query = select(Folder).where(Folder.project_id == project_id)
    if wanted.parent_id is not None:
        query = query.where(within(Folder.parent_id, wanted.parent_id))
    if wanted.name:
        query = query.where(func.lower(Folder.name).contains(wanted.name.lower(), autoescape=True))
    return await listing.fetch(transaction, query, paging, SORT_COLUMNS, Folder.name, Folder.id)


def within(column: Any, folder_id: str) -> ColumnElement[bool]:
    """Of a column that names a folder: that it names this one, or with TOP none."""
    found: ColumnElement[bool] = column.is_(None) if folder_id == TOP else column == folder_id
    return found


async def path(transaction: Transaction, project_id: str, folder_id: str) -> list[Folder]:
    """The folders from the top down to this one, it included."""
    found: list[Folder] = []
    at: str | None = folder_id
    while at is not None and len(found) < DEPTH:
        row = await get(transaction, project_id, at)
        if row is None:
            break
        found.append(row)
        at = row.parent_id
    return found[::-1]


async def contents(transaction: Transaction, project_id: str, folder_ids: Sequence[str]) -> Mapping[str, Contents]:
    """Of each of these folders."""
    folders = select(Folder.parent_id, func.count()).where(
        Folder.project_id == project_id, Folder.parent_id.in_(folder_ids)
    )
    videos = select(Video.folder_id, func.count()).where(
        Video.project_id == project_id, Video.folder_id.in_(folder_ids), Video.discarded_at.is_(None)
    )
    below = {row[0]: row[1] for row in await transaction.execute(folders.group_by(Folder.parent_id))}
    inside = {row[0]: row[1] for row in await transaction.execute(videos.group_by(Video.folder_id))}
    return {each: Contents(below.get(each, 0), inside.get(each, 0)) for each in folder_ids}


async def rename(transaction: Transaction, folder: Folder, name: str) -> None:
    folder.name = name
    await _tell(transaction, folder, "updated")


async def move(transaction: Transaction, folder: Folder, parent_id: str | None) -> None:
    """Into another folder of the project, or to the top. Raises TreeError."""
    if parent_id == folder.parent_id:
        return
    above = await path(transaction, folder.project_id, parent_id) if parent_id is not None else []
    if any(each.id == folder.id for each in above):
        raise TreeError("A folder can't be moved into itself.")
    _check_depth(len(above) + await _height(transaction, folder))
    folder.parent_id = parent_id
    await _tell(transaction, folder, "moved")


async def remove(transaction: Transaction, folder: Folder, *, lift: bool = False) -> None:
    """The row goes. With `lift` what is in it moves to where the folder was. Raises NotEmpty, TreeError."""
    inside = (await contents(transaction, folder.project_id, [folder.id]))[folder.id]
    if (inside.folders or inside.videos) and not lift:
        raise NotEmpty
    below = update(Folder).where(Folder.project_id == folder.project_id, Folder.parent_id == folder.id)
    await _check_lifted(transaction, folder)
    # what is in it is not changed by that
    await transaction.execute(below.values(parent_id=folder.parent_id, updated_at=Folder.updated_at))
    # discarded videos too: they may be taken back
    videos = update(Video).where(Video.project_id == folder.project_id, Video.folder_id == folder.id)
    await _mark_anew(transaction, folder)
    await transaction.execute(videos.values(folder_id=folder.parent_id, updated_at=Video.updated_at))
    await transaction.delete(folder)
    await _tell(transaction, folder, "deleted", lifted={"folders": inside.folders, "videos": inside.videos})


async def _check_lifted(transaction: Transaction, folder: Folder) -> None:
    inside = select(Video.id).where(Video.project_id == folder.project_id, Video.folder_id == folder.id)
    counted = await transaction.scalar(select(func.count()).select_from(inside.limit(MOST_LIFTED + 1).subquery()))
    if (counted or 0) > MOST_LIFTED:
        raise TreeError(f"More than {MOST_LIFTED} videos are in the folder: move some of them first.")


async def _mark_anew(transaction: Transaction, folder: Folder) -> None:
    """What its videos are found by, as a bulk statement moves them."""
    inside = select(Video.id).where(Video.project_id == folder.project_id, Video.folder_id == folder.id)
    old, new = indexing.mark_of_folder(folder.id), indexing.mark_of_folder(folder.parent_id)
    rows = update(VideoWords).where(VideoWords.video_id.in_(inside))
    marks = func.replace(VideoWords.marks, old, new)
    await transaction.execute(rows.values(marks=marks), execution_options={"synchronize_session": False})


async def _height(transaction: Transaction, folder: Folder) -> int:
    """Levels of the folder and of what is in it."""
    levels, at = 0, [folder.id]
    while at and levels <= DEPTH:
        levels += 1
        below = select(Folder.id).where(Folder.project_id == folder.project_id, Folder.parent_id.in_(at))
        at = list(await transaction.scalars(below))
    return levels


def _check_depth(levels: int) -> None:
    if levels > DEPTH:
        raise TreeError(f"A tree of folders has {DEPTH} levels at most.")


async def _tell(transaction: Transaction, folder: Folder, what: str, **more: Any) -> None:
    payload = {"folderId": folder.id, "name": folder.name, "parentId": folder.parent_id, **more}
    await events.record(transaction, folder.project_id, folder.id, f"folder.{what}", payload)
