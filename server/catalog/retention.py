"""Rules by which videos are kept: by their age, by how many there are, by their bytes; tags keep some for ever.

    recordings          a live stream's own rule ── else its project's ── else the server's     apart for each stream
    uploaded videos                                 their project's ── else the server's        apart for each project

A limit that a rule leaves out is the next one's. Without any limit videos are kept for ever, and so is every clip of a
recording: it is a part of what others show.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Subquery, and_, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from server.catalog import events, videos
from server.catalog.database import Transaction
from server.catalog.models import LiveStream, Project, Video

RECORDINGS, UPLOADS = "recordings", "videos"  # as projects name their rules
SETTLED = ("done", "error")  # of an uploaded video: what is still coming is not old


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept; None sets no limit. Of several limits each is kept to."""

    days: float | None = None  # since it was made
    count: int | None = None  # the newest so many
    bytes: int | None = None  # of their files: the newest that fit; the newest of all stays
    keep_tags: Sequence[str] = ()  # a video with one of these is kept, and counts for nothing

    @classmethod
    def of(cls, stated: Mapping[str, Any] | None, otherwise: "Rule") -> "Rule":
        """A rule as its row has it, each limit that it leaves out taken from the other."""
        stated = stated or {}
        days, count, size = (stated.get(name, getattr(otherwise, name)) for name in ("days", "count", "bytes"))
        return cls(days, count, size, tuple(stated.get("keep_tags", otherwise.keep_tags)))

    @property
    def limits(self) -> bool:
        return (self.days, self.count, self.bytes) != (None, None, None)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Videos that one rule is for. It is kept to by itself for each project, or for each live stream."""

    kind: str  # RECORDINGS | UPLOADS
    rule: Rule
    project_id: str
    live_stream_id: str | None = None  # of one stream; None: of all of the project `but` those
    but: Sequence[str] = ()


class Due(NamedTuple):
    """A video that its rule keeps no longer."""

    id: str
    reason: str


class Old(NamedTuple):
    """A recording that may go where room is needed."""

    id: str
    bytes: int
    made_at: datetime
    discarded: bool


async def shelves(transaction: Transaction, recordings: Rule, uploads: Rule) -> list[Shelf]:
    """Those whose rules set a limit; the rules given are the server's."""
    own = await _of_live_streams(transaction)
    found = []
    for project in await transaction.scalars(select(Project)):
        stated = project.retention or {}
        rule = Rule.of(stated.get(RECORDINGS), recordings)
        mine = {id: of for id, of_project, of in own if of_project == project.id}
        found += [Shelf(RECORDINGS, Rule.of(of, rule), project.id, id) for id, of in mine.items()]
        found.append(Shelf(RECORDINGS, rule, project.id, but=tuple(mine)))
        found.append(Shelf(UPLOADS, Rule.of(stated.get(UPLOADS), uploads), project.id))
    return [shelf for shelf in found if shelf.rule.limits]


async def _of_live_streams(transaction: Transaction) -> list[tuple[str, str, dict[str, Any]]]:
    rows = await transaction.execute(select(LiveStream.id, LiveStream.project_id, LiveStream.retention))
    return [(id, project_id, stated) for id, project_id, stated in rows if stated]


async def due(transaction: Transaction, shelf: Shelf, now: datetime, limit: int) -> list[Due]:
    """What is kept no longer, the oldest first."""
    each, rule = _counted(transaction, shelf), shelf.rule
    limits = {
        "days": rule.days is not None and each.c.made_at < now - timedelta(days=rule.days),
        "count": rule.count is not None and each.c.place > rule.count,
        "bytes": rule.bytes is not None and and_(each.c.total > rule.bytes, each.c.place > 1),
    }
    told = {
        "days": f"older than {rule.days or 0:g} days",
        "count": f"more than {rule.count} {shelf.kind}",
        "bytes": f"more than {rule.bytes} bytes of {shelf.kind}",
    }
    set_limits = {name: limit for name, limit in limits.items() if limit is not False}
    wanted = select(each.c.id, *(set_limits[name].label(name) for name in set_limits)).where(or_(*set_limits.values()))
    rows = await transaction.execute(wanted.order_by(each.c.made_at, each.c.id).limit(limit))
    return [Due(id, next(told[name] for name, true in zip(set_limits, beyond, strict=True) if true))
            for id, *beyond in rows]  # fmt: skip


async def oldest(transaction: Transaction, shelf: Shelf, limit: int) -> list[Old]:
    """In the order in which they make room: what waits to be taken back goes first."""
    wanted = _of(transaction, replace(shelf, rule=replace(shelf.rule, days=None)))
    order = Video.discarded_at.is_(None), Video.created_at, Video.id
    size = func.coalesce(Video.source_bytes, 0)
    columns = select(Video.id, size, Video.created_at, Video.discarded_at.is_not(None))
    return [Old(*row) for row in await transaction.execute(columns.where(*wanted).order_by(*order).limit(limit))]


async def of_shelf(transaction: Transaction, shelf: Shelf, ids: Sequence[str]) -> dict[str, bool]:
    """Of these videos, those that the shelf has now; whether each is discarded."""
    columns = select(Video.id, Video.discarded_at.is_not(None))
    rows = await transaction.execute(columns.where(*_of(transaction, shelf), Video.id.in_(ids)))
    return {id: bool(discarded) for id, discarded in rows}


async def of_project(transaction: Transaction, project_id: str) -> dict[str, Any]:
    """The rules that a project states, by RECORDINGS and UPLOADS."""
    project = await transaction.get(Project, project_id)
    return dict(project.retention or {}) if project is not None else {}


async def change(transaction: Transaction, project_id: str, rules: Mapping[str, Any]) -> dict[str, Any]:
    """States these of a project's rules, or with None takes them back; all that it states then."""
    project = await transaction.get(Project, project_id)
    if project is None:
        return {}
    stated = {**(project.retention or {}), **rules}
    project.retention = {kind: rule for kind, rule in stated.items() if rule} or None
    await events.record(transaction, project_id, project_id, "project.retention", {"retention": project.retention})
    return project.retention or {}


def _counted(transaction: Transaction, shelf: Shelf) -> Subquery:
    """What is there now: each with its place among its like, the newest first, and the bytes up to it."""
    apart = Video.live_stream_id if shelf.kind == RECORDINGS else Video.project_id
    newest = Video.created_at.desc(), Video.id.desc()
    place = func.row_number().over(partition_by=apart, order_by=newest)
    size = func.coalesce(Video.source_bytes, 0)
    total = func.sum(size).over(partition_by=apart, order_by=newest, rows=(None, 0))
    columns = select(Video.id, Video.created_at.label("made_at"), place.label("place"), total.label("total"))
    return columns.where(*_of(transaction, shelf), Video.discarded_at.is_(None)).subquery()


def _of(transaction: Transaction, shelf: Shelf) -> list[ColumnElement[bool]]:
    sqlite = transaction.get_bind().dialect.name == "sqlite"
    conditions = [Video.project_id == shelf.project_id, Video.version_of.is_(None)]
    conditions += [~videos.has_tag(transaction, tag) for tag in shelf.rule.keep_tags]
    if shelf.kind == UPLOADS:
        uploaded = or_(Video.source == "upload", Video.source.is_(None))  # None: nothing could be made of its file
        return [*conditions, uploaded, Video.broadcast_id.is_(None), Video.state.in_(SETTLED)]
    head = func.json_extract(Video.segments, "$.head_ms") if sqlite else Video.segments.cast(JSONB)["head_ms"].astext
    conditions += [Video.source == "live", head.is_(None)]
    if shelf.live_stream_id is not None:
        return [*conditions, Video.live_stream_id == shelf.live_stream_id]
    none = Video.live_stream_id.is_(None)  # SQL knows of no NULL whether it is among others
    return [*conditions, or_(none, Video.live_stream_id.not_in(shelf.but))] if shelf.but else conditions
