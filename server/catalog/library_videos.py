"""Lists of videos by library and folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement

from server.catalog import libraries, videos
from server.catalog.database import Transaction
from server.catalog.libraries import Library
from server.catalog.listing import Page, Paging
from server.catalog.models import Video


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; all of it must hold."""

    title: str | None = None  # contained in the title, whatever the case
    states: Sequence[str] = ()  # one of them
    ids: Sequence[str] = ()
    library: Library | None = None
    folder_id: str | None = None  # directly in it
    outside: bool = False  # directly in a library


async def page(transaction: Transaction, project_id: str, wanted: Wanted, paging: Paging) -> Page[Video]:
    """Newest first unless told otherwise."""
    also = list(_conditions(project_id, wanted))
    return await videos.page(transaction, project_id, videos.Filter(title=wanted.title), paging, also)


def _conditions(project_id: str, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    if wanted.states:
        yield Video.state.in_(wanted.states)
    if wanted.ids:
        yield Video.id.in_(wanted.ids)
    if wanted.folder_id is not None:
        yield Video.folder_id == wanted.folder_id
    if wanted.library is not None:
        narrow = libraries.directly_within if wanted.outside else libraries.within
        yield narrow(wanted.library)
    elif wanted.outside:
        yield libraries.in_no_folder(project_id)
