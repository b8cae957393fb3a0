"""Restreams of a live event: targets of a live stream, with a description and times beside them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server import clock
from server.catalog import live_streams, restreams
from server.catalog.database import Transaction
from server.catalog.models import LiveStream
from server.catalog.restreams import Entry
from server.errors import Problem
from server.web.api.restreams import RESTREAMS
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.live_event_shapes import (
    RESTREAM_STATUSES,
    RestreamAnswer,
    RestreamBody,
    RestreamChanges,
)
from server.web.kinescope.shapes import DONE, Data, Done
from server.web.kinescope.values import there
from server.web.typed import Call

READ, WRITE = "live-streams:read", "live-streams:write"
EXAMPLE = {
    "name": "Restream name", "url": "rtmp://a.example.com/live", "key": "stream key", "enabled": True,
}  # fmt: skip
NAMES = {"name": "name", "url": "serverUrl", "key": "streamKey", "description": "description", "enabled": "enabled"}

operations = kinescope_operations("Live events")


@operations.post(
    "/v2/live/events/{event_id}/restreams", "Add a restream", scope=WRITE, errors=["limit-reached"], example=EXAMPLE
)
async def create(call: Call, event_id: str, body: RestreamBody) -> Data[RestreamAnswer]:
    """While the event is on air it is connected to at once."""
    entry = _new(body)
    async with call.services.database.write() as transaction:
        row = await _event(transaction, call, event_id)
        if len(row.restreams) >= call.services.live.max_restreams:
            raise Problem("limit-reached", f"There are {call.services.live.max_restreams} restreams at most.")
        await restreams.put(transaction, row, entry)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
    return Data(data=_answer(call, row, entry))


@operations.get("/v2/live/events/{event_id}/restreams/{restream_id}", "Show a restream", scope=READ)
async def show(call: Call, event_id: str, restream_id: str) -> Data[RestreamAnswer]:
    async with call.services.database.read() as transaction:
        row, entry = await _find(transaction, call, event_id, restream_id)
    return Data(data=_answer(call, row, entry))


@operations.put(
    "/v2/live/events/{event_id}/restreams/{restream_id}", "Change a restream", scope=WRITE, example=EXAMPLE
)
async def change(call: Call, event_id: str, restream_id: str, body: RestreamChanges) -> Data[RestreamAnswer]:
    """What is left out stays as it is."""
    changes = {NAMES[name]: getattr(body, name) for name in body.model_fields_set}
    async with call.services.database.write() as transaction:
        row, known = await _find(transaction, call, event_id, restream_id)
        entry = {**known, **changes, "updatedAt": clock.now().isoformat()}
        await restreams.put(transaction, row, entry)
    call.services.on_live_stream_changed(row)
    return Data(data=_answer(call, row, entry))


@operations.delete("/v2/live/events/{event_id}/restreams/{restream_id}", "Delete a restream", scope=WRITE)
async def delete(call: Call, event_id: str, restream_id: str) -> Done:
    async with call.services.database.write() as transaction:
        row, entry = await _find(transaction, call, event_id, restream_id)
        await restreams.remove(transaction, row, entry["restreamId"])
    call.services.on_live_stream_changed(row)
    return DONE


def entries(call: Call, known: Sequence[Entry], wanted: Sequence[RestreamBody]) -> list[Entry]:
    """As they are kept: those that lead to the same place go on. Raises Problem."""
    limit = call.services.live.max_restreams
    if len(wanted) > limit:
        raise Problem("limit-reached", f"There are {limit} restreams at most.", name="restreams")
    given = [_new(each) for each in wanted]
    places = {_place(each): each for each in reversed(known)}
    return [_kept(each, places.pop(_place(each), None)) for each in given]


def answers(call: Call, row: LiveStream) -> list[RestreamAnswer]:
    return [_answer(call, row, entry) for entry in row.restreams]


def _new(body: RestreamBody) -> Entry:
    entry = restreams.new(body.name, body.url, body.key, body.enabled)
    return {**entry, "description": body.description, "createdAt": clock.now().isoformat()}


def _kept(entry: Entry, known: Entry | None) -> Entry:
    if known is None:
        return entry
    return {**known, **entry, "restreamId": known["restreamId"], "createdAt": known.get("createdAt")}


def _place(entry: Entry) -> tuple[Any, Any]:
    return entry["serverUrl"], entry["streamKey"]


async def _event(transaction: Transaction, call: Call, event_id: str) -> LiveStream:
    return there(await live_streams.get(transaction, call.project_id, event_id), "event_id")


async def _find(transaction: Transaction, call: Call, event_id: str, restream_id: str) -> tuple[LiveStream, Entry]:
    row = await _event(transaction, call, event_id)
    entry = restreams.find(row, restream_id)
    if entry is None:
        raise Problem("resource-not-found", name="restream_id")
    return row, entry


def _answer(call: Call, row: LiveStream, entry: Entry) -> RestreamAnswer:
    shown = call.request.app[RESTREAMS].status(row.id, entry["restreamId"])
    created, updated = entry.get("createdAt"), entry.get("updatedAt")
    return RestreamAnswer(
        id=entry["restreamId"],
        event_id=row.id,
        name=entry["name"],
        url=entry["serverUrl"],
        key=entry["streamKey"],
        status=RESTREAM_STATUSES[shown.status.state],
        enabled=entry["enabled"],
        description=entry.get("description") or "",
        created_at=datetime.fromisoformat(created) if created else row.created_at,
        updated_at=datetime.fromisoformat(updated) if updated else None,
    )
