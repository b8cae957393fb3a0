"""Libraries: a project's videos in a few large groups, each with settings of its own.

A library is a folder at the top of the tree, with all that is in it. One more, the default library, has what is in no
folder; it needs no rows, and gets a folder with its id once a folder is made in it.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from server import ids
from server.catalog import folders
from server.catalog.database import Transaction
from server.catalog.library_models import LibrarySettings
from server.catalog.models import Project, Video
from server.catalog.organisation_models import Folder

MOST = 1000  # libraries whose folders are read for one answer; far more than anybody makes

SORT_COLUMNS: Mapping[str, InstrumentedAttribute[str] | InstrumentedAttribute[datetime]] = {
    "name": Folder.name,
    "createdAt": Folder.created_at,
}
# made of the project's id, so that it is the same for as long as there is the project
_DEFAULT = uuid.UUID("5a1f1d3c-6f0e-4d5c-9a3b-0d8f3c1e7b42")


@dataclass(frozen=True, slots=True)
class Library:
    """One of a project; `folder` is None for the default one while it has no folders."""

    id: str
    project_id: str
    name: str
    created_at: datetime
    updated_at: datetime | None
    folder: Folder | None
    settings: LibrarySettings | None

    @property
    def is_default(self) -> bool:
        return self.id == default_id(self.project_id)


def default_id(project_id: str) -> str:
    return "fo" + ids.encode(uuid.uuid5(_DEFAULT, project_id))


async def get(transaction: Transaction, project_id: str, library_id: str) -> Library | None:
    folder = await folders.get(transaction, project_id, library_id)
    if library_id == default_id(project_id):
        return await _default(transaction, project_id, folder)
    if folder is None or folder.parent_id is not None:
        return None
    return _library(folder, await transaction.get(LibrarySettings, folder.id))


async def page(
    transaction: Transaction, project_id: str, number: int, size: int, orders: Sequence[tuple[str, bool]]
) -> tuple[list[Library], int]:
    """The default library, then the others in this order; how many there are."""
    at_top = select(Folder).where(
        Folder.project_id == project_id, Folder.parent_id.is_(None), Folder.id != default_id(project_id)
    )
    total = 1 + (await transaction.scalar(select(func.count()).select_from(at_top.subquery())) or 0)
    start = (number - 1) * size
    first = [await _default(transaction, project_id, None)] if start == 0 else []
    order = [SORT_COLUMNS[name].desc() if falling else SORT_COLUMNS[name].asc() for name, falling in orders]
    rows = list(
        await transaction.scalars(
            at_top.order_by(*order, Folder.id).limit(size - len(first)).offset(max(0, start - 1))
        )
    )
    known = await _settings(transaction, [row.id for row in rows])
    return [*first, *(_library(row, known.get(row.id)) for row in rows)], total


async def folder_of(transaction: Transaction, library: Library) -> Folder:
    """The library's own; made where it has none yet. Raises folders.TreeError."""
    if library.folder is not None:
        return library.folder
    row = Folder(id=library.id, project_id=library.project_id, name=library.name)
    return await folders.add(transaction, row)


async def settings_of(transaction: Transaction, library: Library) -> LibrarySettings:
    """To be changed; made where there are none yet. Raises folders.TreeError."""
    if library.settings is not None:
        return library.settings
    row = LibrarySettings(id=(await folder_of(transaction, library)).id, project_id=library.project_id)
    transaction.add(row)
    await transaction.flush()
    return row


async def below(transaction: Transaction, library_ids: Sequence[str]) -> Mapping[str, list[Folder]]:
    """The folders directly in each of these libraries, by their names."""
    found: dict[str, list[Folder]] = {each: [] for each in library_ids}
    rows = select(Folder).where(Folder.parent_id.in_(library_ids)).order_by(Folder.name, Folder.id).limit(MOST)
    for row in await transaction.scalars(rows):
        found[row.parent_id or ""].append(row)
    return found


async def of_folders(
    transaction: Transaction, project_id: str, folder_ids: Sequence[str | None]
) -> Mapping[str | None, str]:
    """The library that each of these folders is in, or is; of None the default one."""
    found: dict[str | None, str] = {None: default_id(project_id)}
    wanted = {each for each in folder_ids if each is not None}
    at: dict[str, set[str]] = {each: {each} for each in wanted}  # a folder on the way up -> those it is above of
    for _ in range(folders.DEPTH + 1):
        if not at:
            break
        rows = await transaction.execute(
            select(Folder.id, Folder.parent_id).where(Folder.project_id == project_id, Folder.id.in_(at))
        )
        above: dict[str, set[str]] = {}
        for folder_id, parent_id in rows:
            if parent_id is None:
                found |= dict.fromkeys(at[folder_id], folder_id)
            else:
                above.setdefault(parent_id, set()).update(at[folder_id])
        at = above
    return {**dict.fromkeys(wanted, found[None]), **found}


def within(library: Library) -> ColumnElement[bool]:
    """Of a video: that it is in the library, however deep."""
    tree = Video.folder_id.in_(subtree(library.id))
    return or_(Video.folder_id.is_(None), tree) if library.is_default else tree


def directly_within(library: Library) -> ColumnElement[bool]:
    """Of a video: that it is in the library and in none of its folders."""
    own: ColumnElement[bool] = Video.folder_id == library.id
    return or_(Video.folder_id.is_(None), own) if library.is_default else own


def in_no_folder(project_id: str) -> ColumnElement[bool]:
    """Of a video: that it is directly in whatever library."""
    at_top = select(Folder.id).where(Folder.project_id == project_id, Folder.parent_id.is_(None))
    return or_(Video.folder_id.is_(None), Video.folder_id.in_(at_top))


def subtree(folder_id: str) -> Select[tuple[str]]:
    """Ids of a folder and of all that are in it."""
    tree = select(Folder.id).where(Folder.id == folder_id).cte("tree", recursive=True)
    tree = tree.union(select(Folder.id).join(tree, Folder.parent_id == tree.c.id))
    return select(tree.c.id)


async def _default(transaction: Transaction, project_id: str, folder: Folder | None) -> Library:
    folder = folder or await folders.get(transaction, project_id, default_id(project_id))
    if folder is not None:
        return _library(folder, await transaction.get(LibrarySettings, folder.id))
    project = await transaction.get_one(Project, project_id)
    return Library(default_id(project_id), project_id, project.name, project.created_at, None, None, None)


async def _settings(transaction: Transaction, folder_ids: Sequence[str]) -> Mapping[str, LibrarySettings]:
    rows = await transaction.scalars(select(LibrarySettings).where(LibrarySettings.id.in_(folder_ids)))
    return {row.id: row for row in rows}


def _library(folder: Folder, settings: LibrarySettings | None) -> Library:
    updated_at = max(folder.updated_at, settings.updated_at) if settings else folder.updated_at
    return Library(folder.id, folder.project_id, folder.name, folder.created_at, updated_at, folder, settings)
