"""Live events: live streams of ours, with what the dialect keeps beside them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from server import clock
from server.catalog import broadcasts, folders, libraries, live_events, live_streams, restreams
from server.catalog.database import Transaction
from server.catalog.folders import TOP, Filter
from server.catalog.listing import Paging
from server.catalog.models import Broadcast, LiveStream
from server.web.api import live_stream_shapes
from server.web.kinescope import live_event_shapes, live_restreams, places
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.live_event_shapes import (
    SWITCHES,
    EventAnswer,
    EventChanges,
    EventCreation,
    EventQuery,
    StreamAnswer,
    of_broadcast,
    to_come,
)
from server.web.kinescope.locations import location
from server.web.kinescope.paging import listed
from server.web.kinescope.shapes import DONE, Body, Data, Done, GivenId, Listed
from server.web.kinescope.values import there
from server.web.typed import Call

READ, WRITE = "live-streams:read", "live-streams:write"
# field of a body -> column of the live stream; others go into the event's own row
COLUMNS: Mapping[str, str] = {
    "name": "name", "reconnect_window": "reconnect_window_s", "latency_mode": "latency_mode", "scheduled": "starts_at",
    "record": "record", "video": "renditions", "restreams": "restreams",
}  # fmt: skip
PROJECTS_LIMIT = 1000  # at the top, that are looked at for events in no folder

operations = kinescope_operations("Live events")


class MoveBody(Body):
    parent_id: GivenId


@operations.post(
    "/v2/live/events", "Make a live event", scope=WRITE, errors=["limit-reached", "invalid-id", "resource-not-found"],
    example={"name": "New event", "type": "recurring", "reconnect_window": 600},
)  # fmt: skip
async def create(call: Call, body: EventCreation) -> Data[EventAnswer]:
    """It is published to with `streamkey`, at `rtmp_link`; it is on air as soon as somebody does, or when its time has
    come. A one-time event lets nobody in once it was completed, until it is enabled again."""
    given = set(EventCreation.model_fields)
    values = _columns(call, [], body, given)
    values["latency_mode"] = body.latency_mode or call.services.live.latency_mode
    row = LiveStream(project_id=call.project_id, stream_key=live_streams.new_stream_key(), **values)
    async with call.services.database.write() as transaction:
        own = await _own(transaction, call, body, given)
        own["parent_id"] = await location(transaction, call, body.parent_id, "parent_id")
        await live_streams.add(transaction, row)
        await live_events.put(transaction, row, own)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
        return await _answer(transaction, call, row)


@operations.get("/v2/live/events", "List live events", scope=READ, errors=["invalid-id", "resource-not-found"])
async def list_all(call: Call, query: EventQuery) -> Listed[EventAnswer]:
    """Live streams that were made otherwise, too."""
    paging = query.paging()
    async with call.services.database.read() as transaction:
        parents = await _parents(transaction, call, query)
        page = await live_events.page(transaction, call.project_id, parents, paging)
        answers = await _answers(transaction, call, page.rows)
    return listed(query, page, answers)


@operations.get("/v2/live/events/{event_id}", "Show a live event", scope=READ)
async def show(call: Call, event_id: str) -> Data[EventAnswer]:
    async with call.services.database.read() as transaction:
        return await _answer(transaction, call, await find(transaction, call, event_id))


@operations.put(
    "/v2/live/events/{event_id}", "Change a live event", scope=WRITE, errors=["limit-reached"],
    example={"name": "Update event"},
)  # fmt: skip
async def change(call: Call, event_id: str, body: EventChanges) -> Data[EventAnswer]:
    """What is left out stays as it is. Recording, latency, the reconnect window and presets count from the next
    broadcast on."""
    given = set(body.model_fields_set)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, event_id)
        for name, value in _columns(call, row.restreams, body, given).items():
            setattr(row, name, value)
        _keep_in_order(row)
        known = (await live_events.of(transaction, [row]))[row.id]
        own = await _own(transaction, call, body, given, known.facts)
        await live_events.put(transaction, row, own)
        await live_streams.tell(transaction, row, "updated", changed=sorted(given))
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
        return await _answer(transaction, call, row)


@operations.delete("/v2/live/events/{event_id}", "Delete a live event", scope=WRITE)
async def delete(call: Call, event_id: str) -> Done:
    """What is on air is ended first. Recordings stay."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, event_id)
    await call.services.complete_live_stream(row.id)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, event_id)
        await live_streams.remove(transaction, row)
    call.services.on_live_stream_deleted(row)
    return DONE


@operations.put("/v2/live/events/{event_id}/enable", "Enable a live event", scope=WRITE)
async def enable(call: Call, event_id: str) -> Data[EventAnswer]:
    """Lets publishers in, and begins now where its time is yet to come."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, event_id)
        await live_streams.enable(transaction, row)
        if row.starts_at is not None and row.starts_at > clock.now():
            await _schedule(transaction, row, None)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
        return await _answer(transaction, call, row)


@operations.put("/v2/live/events/{event_id}/complete", "End a live event", scope=WRITE)
async def complete(call: Call, event_id: str) -> Data[EventAnswer]:
    """Ends what is on air; the recording becomes a video. A one-time event lets nobody in from then on."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, event_id)
    await call.services.complete_live_stream(row.id)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, event_id)
        kept = (await live_events.of(transaction, [row]))[row.id]
        if kept.kind == live_events.ONE_TIME:
            await live_streams.move(transaction, row, "disabled")
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
        return await _answer(transaction, call, row)


@operations.put(
    "/v2/live/events/{event_id}/move", "Move a live event", scope=WRITE, errors=["invalid-id"],
    example={"parent_id": "b5bf16d0-6722-4c82-bb55-b2eac5264a50"},
)  # fmt: skip
async def move(call: Call, event_id: str, body: MoveBody) -> Data[EventAnswer]:
    """Into another project or folder."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, event_id)
        place = await location(transaction, call, body.parent_id, "parent_id")
        await live_events.put(transaction, row, {"parent_id": place})
        await live_streams.tell(transaction, row, "updated", changed=["parent_id"])
        return await _answer(transaction, call, row)


async def find(transaction: Transaction, call: Call, event_id: str) -> LiveStream:
    """The caller's. Raises Problem."""
    return there(await live_streams.get(transaction, call.project_id, event_id), "event_id")


async def schedule(transaction: Transaction, row: LiveStream, moment: datetime) -> StreamAnswer:
    """Nobody goes on air before the moment."""
    await _schedule(transaction, row, moment)
    found = to_come(row)
    if found is None:
        raise LookupError(f"{row.id} has no schedule")
    return found


async def _schedule(transaction: Transaction, row: LiveStream, moment: datetime | None) -> None:
    row.starts_at = moment
    _keep_in_order(row)
    await transaction.flush()
    await live_streams.tell(transaction, row, "updated", changed=["schedule"])


def _keep_in_order(row: LiveStream) -> None:
    """The dialect knows no end: one that has passed before the beginning is dropped."""
    if row.starts_at is not None and row.stops_at is not None and row.stops_at <= row.starts_at:
        row.stops_at = None


def _columns(
    call: Call, known: Sequence[restreams.Entry], body: EventCreation | EventChanges, given: set[str]
) -> dict[str, Any]:
    """Of the live stream, for what is given. Raises Problem."""
    found = {column: getattr(body, name) for name, column in COLUMNS.items() if name in given}
    if not found.get("name", "x").strip():
        del found["name"]  # an example of the dialect has none
    if "starts_at" in found:
        found["starts_at"] = found["starts_at"].time if found["starts_at"] else None
    if "record" in found:
        found["record"] = found["record"] is not None
    if "renditions" in found:
        found["renditions"] = live_event_shapes.renditions(found["renditions"])
    if "restreams" in found:
        found["restreams"] = live_restreams.entries(call, known, found["restreams"])
    return found


async def _own(
    transaction: Transaction, call: Call, body: EventCreation | EventChanges, given: set[str],
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Of the event's own row, for what is given. Raises Problem."""
    switches = {name: getattr(body, name) for name in SWITCHES.keys() & given}
    found: dict[str, Any] = {"facts": {**(facts or {}), **switches}}
    if "type" in given:
        found["kind"] = body.type
    if "subtitle" in given:
        found["subtitle"] = body.subtitle
    if "record" in given:
        place = body.record.parent_id if body.record else None
        found["record_parent_id"] = await location(transaction, call, place, "record[parent_id]")
    return found


async def _parents(transaction: Transaction, call: Call, query: EventQuery) -> list[str | None] | None:
    """Of the events that are asked for; None: all. Raises Problem."""
    if query.folder_id:
        return await _directly_in(transaction, call, query.folder_id, "folder_id")
    if query.project_id and query.without_folder:
        return await _directly_in(transaction, call, query.project_id, "project_id")
    if query.project_id:
        library = (await places.parent(transaction, call, query.project_id, "project_id")).library
        inside = await transaction.scalars(libraries.subtree(library.id))
        return [*inside, *([library.id, None] if library.is_default else [])]
    if query.without_folder:
        paging = Paging(1, PROJECTS_LIMIT)
        tops = await folders.page(transaction, call.project_id, Filter(TOP), paging)
        return [None, libraries.default_id(call.project_id), *(row.id for row in tops.rows)]
    return None


async def _directly_in(transaction: Transaction, call: Call, text: str, name: str) -> list[str | None]:
    place = await places.parent(transaction, call, text, name)
    return [place.folder_id] if place.folder_id else [place.library.id, None]


async def _answer(transaction: Transaction, call: Call, row: LiveStream) -> Data[EventAnswer]:
    await transaction.flush()
    return Data(data=(await _answers(transaction, call, [row]))[0])


async def _answers(transaction: Transaction, call: Call, rows: Sequence[LiveStream]) -> list[EventAnswer]:
    kept = await live_events.of(transaction, rows)
    on_air = await broadcasts.by_ids(transaction, [row.broadcast_id for row in rows if row.broadcast_id])
    return [
        live_event_shapes.event(
            call, row, live_stream_shapes.answer(call, row), kept[row.id],
            _stream(row, on_air.get(row.broadcast_id or "")), live_restreams.answers(call, row),
        )
        for row in rows
    ]  # fmt: skip


def _stream(row: LiveStream, last: Broadcast | None) -> StreamAnswer | None:
    """The one on air, the one to come, the last one."""
    if last is not None and last.state in broadcasts.ON_AIR:
        return of_broadcast(last)
    if row.starts_at is not None and row.starts_at > clock.now():
        return to_come(row)
    return of_broadcast(last) if last is not None else to_come(row)
