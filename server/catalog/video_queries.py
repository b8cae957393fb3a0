"""Queries of the lists of videos: which of them, how many, in which order.

What is compared as a whole (tags, metadata, custom values) and words are looked up in one full-text index, on SQLite
what titles and descriptions contain in another; both give positions. Ids come out of an index where they can.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    String,
    UnaryExpression,
    bindparam,
    exists,
    false,
    func,
    or_,
    select,
)
from sqlalchemy.sql import operators

from server.catalog import dialects, folders, indexing, words
from server.catalog.custom_fields import Condition
from server.catalog.database import Transaction
from server.catalog.dialects import CONTAINED_FROM, FOUND, TEXTS
from server.catalog.models import Video
from server.catalog.organisation_models import CustomField, CustomValue, VideoWords
from server.catalog.prepared import Prepared

SORT_COLUMNS = {
    "title": Video.title,
    "createdAt": Video.created_at,
    "publishedAt": Video.published_at,
    "updatedAt": Video.updated_at,
}
# Videos that were found are sorted up to this number, some microseconds each; of more, the index of all videos is
# walked in the order that is wanted, until a page of those that were found has gone by.
WALKED_FROM = 10_000
# So many are many of all: near the beginning those that go by, up to so many for each that is wanted and in all, are
# looked at themselves, 3 us each, and the full-text index, 20 ms for what most have, is not asked again.
LOOKED_AT, LOOKED_AT_MOST = 10, 2500
CONTAINED_CHARS = 100  # of a text that is looked up in the index; it costs by its characters, and few texts are left
_COMPARE = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}  # by the names of custom_fields.BOUNDS

Ids = Select[str]
ProjectId = str | BindParameter[str]
LISTS_KEPT = 256  # projects whose statements need not be built anew, which takes longer than many of them run

_PROJECT_ID = bindparam("project_id", type_=String)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; all of it must hold."""

    title: str | None = None  # contained in the title, whatever the case
    description: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    live_stream_id: str | None = None
    folder_id: str | None = None  # folders.TOP: those that are in none
    discarded: bool = False  # those that can be taken back, instead of the others
    search: str | None = None  # beginnings of words of it, all of them
    custom: Sequence[Condition] = ()


@dataclass(frozen=True, slots=True)
class _Match:
    """What the full-text index is asked for."""

    words: Sequence[str]
    marks: Sequence[str]
    lacked: str | None = None  # a mark


def value_of(field: CustomField) -> Any:
    """The column that has the values of such a field."""
    return CustomValue.number if field.type in ("number", "boolean") else CustomValue.text


def _unindexed(column: Any) -> ColumnElement[Any]:
    """The same to SQLite, but for its choice of an index."""
    return UnaryExpression(column, operator=operators.custom_op("+"), type_=column.type)


def _ordered(query: Ids, columns: Sequence[Any], descending: bool) -> Ids:
    return query.order_by(*(each.desc() if descending else each.asc() for each in columns))


def _counted(query: Select[Any]) -> Select[int]:
    return select(func.count()).select_from(query.order_by(None).subquery())


@lru_cache(maxsize=LISTS_KEPT)
def _all_of(project_id: ProjectId, discarded: bool) -> Ids:
    is_there = Video.discarded_at.is_not(None) if discarded else Video.discarded_at.is_(None)
    return select(Video.id).where(Video.project_id == project_id, is_there)


@lru_cache(maxsize=LISTS_KEPT)
def _listed_of(project_id: ProjectId, discarded: bool) -> Ids:
    return _all_of(project_id, discarded).where(Video.version_of.is_(None))


@lru_cache
def _count_of(discarded: bool) -> Prepared[int]:
    """Of all that are listed, where nothing narrows it."""
    return Prepared(_counted(_listed_of(_PROJECT_ID, discarded)))


@lru_cache
def first_of(discarded: bool, name: str, descending: bool) -> Prepared[Video]:
    """Videos, by an index that has their order."""
    query = _ordered(_listed_of(_PROJECT_ID, discarded), (SORT_COLUMNS[name], Video.id), descending)
    return Prepared(query.with_only_columns(Video).limit(bindparam("size")).offset(bindparam("first")))


class Asked:
    """The queries of one list: over `videos` alone; or, where words, marks, bounds or on SQLite texts narrow it, over
    the positions that those have in common, and over `videos` only where something else of it is asked for."""

    def __init__(
        self, dialect: str, project_id: str, wanted: Filter, also: Sequence[ColumnElement[bool]], by_field: bool
    ) -> None:
        self._sqlite = dialect == "sqlite"
        self._project_id = project_id
        self._discarded = wanted.discarded
        self._match = _match(project_id, wanted, by_field)
        self._bounds = [self._values(each.field, each.bounds) for each in wanted.custom if each.bounds]
        self._texts = _indexed_texts(wanted) if self._sqlite else {}
        self._shelved = wanted.folder_id is not None or wanted.live_stream_id is not None
        self._keyed = self._match is not None or bool(self._bounds or self._texts)
        self._conditions = [*_conditions(wanted, self._sqlite, in_marks=self._match is not None), *also]

    @property
    def plain(self) -> bool:
        """Whether nothing narrows it."""
        return not self._keyed and not self._conditions

    async def count(self, transaction: Transaction) -> int:
        """Of all. Of positions alone no row has to be read."""
        if self.plain:
            return await _count_of(self._discarded).one(transaction, project_id=self._project_id) or 0
        scoped = self._match is not None or not self._texts
        found = self._found() if self._keyed and scoped and not self._conditions else self._ids()[0]
        return await transaction.scalar(_counted(found)) or 0

    async def count_with(self, transaction: Transaction, by: CustomField, total: int) -> int:
        """Of those of the total that have a value of the field."""
        if self._sqlite:
            return total - await self._lacking(by).count(transaction)
        return await transaction.scalar(_counted(self.by_value(by, False))) or 0

    def near(self, name: str, descending: bool, most: int, total: int) -> Ids | None:
        """As `order`, of those that come first in it: `most` of them at most, and that many only if they lie close.
        None: it is no way to find them."""
        looked_at = most * LOOKED_AT
        others = self._bounds or self._texts or self._conditions or self._discarded
        if self._match is None or others or name == "createdAt":
            return None
        if total < WALKED_FROM or looked_at > LOOKED_AT_MOST:
            return None
        by = SORT_COLUMNS[name]
        walked = self._listed().add_columns(Video.position, by.label("by"))
        first = _ordered(walked, (by, Video.id), descending).limit(looked_at).subquery()
        found = select(first.c.id).join(VideoWords, VideoWords.position == first.c.position)
        return _ordered(found.where(*_has(self._match)), (first.c.by, first.c.id), descending)

    def order(self, name: str, descending: bool, total: int) -> Ids:
        """Rows that sort alike come in the order of their ids or positions, so that pages never overlap."""
        if self._keyed and name != "createdAt" and total >= WALKED_FROM and not self._discarded:
            walked = self._listed().where((Video.position + 0).in_(self._found()), *self._conditions)
            return _ordered(walked, (SORT_COLUMNS[name], Video.id), descending)
        if self._sqlite and self._match is not None and name == "createdAt" and not self._conditions:
            found = self._found()  # their ids are looked up past those that come before the slice
            of_position = select(Video.id).where(Video.position == FOUND.c.rowid).scalar_subquery()
            return _ordered(found.with_only_columns(of_position), (FOUND.c.rowid,), descending)
        query, position = self._ids()
        if self._keyed and name == "createdAt":
            return _ordered(query, (position,), descending)
        few = self._sqlite and self._shelved and total < WALKED_FROM
        by = _unindexed(SORT_COLUMNS[name]) if few and name != "createdAt" else SORT_COLUMNS[name]
        return _ordered(query, (by, Video.id), descending)

    def by_value(self, by: CustomField, descending: bool) -> Ids:
        """Those that have a value of the field."""
        query = self._values(by, {}).with_only_columns(CustomValue.video_id)
        if self._keyed:
            query = query.where(CustomValue.position.in_(self._found()))
        if self._conditions:
            query = query.join(Video, Video.id == CustomValue.video_id).where(*self._conditions)
        return _ordered(query, (value_of(by), CustomValue.position), descending)

    def without_value(self, by: CustomField, descending: bool) -> Ids:
        """The others, by their creation."""
        if self._sqlite:
            return self._lacking(by).order("createdAt", descending, 0)
        query, position = self._ids()
        without = ~exists().where(CustomValue.video_id == Video.id, CustomValue.field_id == by.id)
        order = (position,) if self._keyed else (Video.created_at, Video.id)
        return _ordered(query.where(without), order, descending)

    def _lacking(self, by: CustomField) -> Self:
        """Those without a value of the field. SQLite looks that up for each video; its full-text index goes through
        all of them at once."""
        rest, match = copy(self), self._match or _Match((), [indexing.scope(self._project_id, self._discarded)])
        rest._match, rest._keyed = replace(match, lacked=indexing.mark_of_having(by.id)), True
        return rest

    def _ids(self) -> tuple[Ids, Any]:
        """And the column that has their positions."""
        if not self._keyed:
            return self._listed().where(*self._conditions), Video.position
        if not self._sqlite or not (self._match or self._texts):
            found = self._all().where(Video.position.in_(self._found()), *self._conditions)
            return found, Video.position
        of = FOUND if self._match is not None else TEXTS
        # what is added to it keeps SQLite from asking the index for each video instead of the videos for what it has
        query = self._all().select_from(of).join(Video, Video.position == of.c.rowid + 0)
        return self._narrowed(query, of).where(*self._conditions), of.c.rowid

    def _listed(self) -> Ids:
        """All videos, by indices of those alone that are listed."""
        return _listed_of(self._project_id, self._discarded)

    def _all(self) -> Ids:
        """All videos, and versions of them, which have no positions."""
        return _all_of(self._project_id, self._discarded)

    def _found(self) -> Select[int]:
        """Positions. Those of texts alone are of all projects."""
        if self._sqlite and (self._match is not None or self._texts):
            of = FOUND if self._match is not None else TEXTS
            positions: Select[int] = self._narrowed(select(of.c.rowid), of)
            return positions
        if self._match is not None:
            found = select(VideoWords.position).where(*dialects.found_by(self._match.words, self._match.marks))
            return found.where(*(VideoWords.position.in_(each) for each in self._bounds))
        first, *others = self._bounds
        return first.where(*(CustomValue.position.in_(each) for each in others))

    def _narrowed(self, query: Any, of: Any) -> Any:
        """On SQLite, by one full-text index, and by what else there is."""
        others = self._bounds
        if self._match is not None:
            asked = dialects.fts5(self._match.words, self._match.marks, self._match.lacked)
            query = query.where(dialects.matches(FOUND, asked))
        if self._texts:
            texts = dialects.matches(TEXTS, dialects.fts5_texts(self._texts))
            if of is TEXTS:
                query = query.where(texts)
            else:
                others = [*others, select(TEXTS.c.rowid).where(texts)]
        return query.where(*((of.c.rowid + 0).in_(each) for each in others))

    def _values(self, field: CustomField, bounds: Mapping[str, Any] | None) -> Select[int]:
        """Positions of those whose values are within the bounds."""
        column = value_of(field)
        within = [getattr(column, _COMPARE[name])(value) for name, value in (bounds or {}).items()]
        query = select(CustomValue.position).where(
            CustomValue.field_id == field.id, CustomValue.listed.is_(not self._discarded)
        )
        return query.where(column.is_not(None), *within)


def _match(project_id: str, wanted: Filter, by_field: bool) -> _Match | None:
    """None: the full-text index has nothing to say to it. Folders it knows as well, for lists that can't be walked
    folder by folder."""
    found = words.of_search(wanted.search or "")[: words.SEARCH_WORDS]
    marks = [words.mark("t", tag) for tag in wanted.tags]
    marks += [words.mark("m", key, value) for key, value in wanted.metadata.items()]
    marks += [indexing.mark_of(each.field.id, each.value) for each in wanted.custom if not each.bounds]
    if not found and not marks and not (by_field and wanted.folder_id):
        return None
    if wanted.folder_id:
        marks.append(indexing.mark_of_folder(None if wanted.folder_id == folders.TOP else wanted.folder_id))
    return _Match(found, [*marks, indexing.scope(project_id, wanted.discarded)])


def _has(match: _Match) -> list[ColumnElement[bool]]:
    """The same of one video's words; it is no question for an index."""
    words, marks = " " + VideoWords.words + " " + VideoWords.spoken, " " + VideoWords.marks + " "
    having = [words.contains(f" {word}") for word in match.words]
    return having + [marks.contains(f" {mark} ") for mark in match.marks]


def _indexed_texts(wanted: Filter) -> dict[str, str]:
    """By columns: what is looked up of the texts that are wanted in them."""
    given = {"title": wanted.title or "", "description": wanted.description or ""}
    return {name: text[:CONTAINED_CHARS] for name, text in given.items() if _is_indexed(text)}


def _is_indexed(text: str) -> bool:
    return len(text) >= CONTAINED_FROM and "\x00" not in text


def _conditions(wanted: Filter, sqlite: bool, in_marks: bool) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, text in ((Video.title, wanted.title), (Video.description, wanted.description)):
        if text and not (sqlite and _is_indexed(text) and len(text) <= CONTAINED_CHARS):
            found.append(_contains(column, text, sqlite))
    if wanted.live_stream_id:
        found.append(Video.live_stream_id == wanted.live_stream_id)
    if wanted.folder_id and not in_marks:
        found.append(folders.within(Video.folder_id, wanted.folder_id))
    return found


def _contains(column: Any, text: str, sqlite: bool) -> ColumnElement[bool]:
    """Whatever the case, of which SQLite knows that of ASCII alone."""
    if "\x00" in text:
        return false()  # nowhere
    found: ColumnElement[bool] = func.lower(column).contains(text.lower(), autoescape=True)
    if not sqlite or text.isascii():
        return found
    cases = dict.fromkeys((text, text.lower(), text.upper()))
    return or_(*(column.contains(each, autoescape=True) for each in cases))
