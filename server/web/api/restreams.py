"""The targets of a live stream: made, shown, changed, deleted, started and stopped, also while it is on air."""

from aiohttp import web

from server import ids
from server.catalog import restreams
from server.catalog.database import Transaction
from server.catalog.models import LiveStream
from server.catalog.restreams import Entry
from server.errors import Problem
from server.restream.restreams import Restreams
from server.web.api.live_streams import find
from server.web.api.restream_shapes import RestreamAnswer, RestreamChanges, RestreamCreation, RestreamList, restream
from server.web.typed import Call, Operations

RESTREAMS = web.AppKey("restreams", Restreams)
EXAMPLE = {"name": "Elsewhere", "serverUrl": "rtmp://a.example.com/app", "streamKey": "key"}

operations = Operations("Live streams")


@operations.get("/live-streams/{liveStreamId}/restreams", "List restream targets", scope="live-streams:read")
async def list_all(call: Call, live_stream_id: str) -> RestreamList:
    """Where the broadcast is passed on to, and how that goes."""
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    return RestreamList(data=[_answer(call, row, entry) for entry in row.restreams])


@operations.post(
    "/live-streams/{liveStreamId}/restreams", "Add a restream target", scope="live-streams:write", status=201,
    errors=["conflict"], example=EXAMPLE,
)  # fmt: skip
async def create(call: Call, live_stream_id: str, body: RestreamCreation) -> RestreamAnswer:
    """While the live stream is on air it is connected to at once."""
    entry = restreams.new(body.name, body.server_url, body.stream_key, body.enabled)
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        if len(row.restreams) >= call.services.live.max_restreams:
            raise Problem("conflict", f"A live stream has {call.services.live.max_restreams} restream targets at most.")
        await restreams.put(transaction, row, entry)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
    return _answer(call, row, entry)


@operations.get(
    "/live-streams/{liveStreamId}/restreams/{restreamId}", "Show a restream target", scope="live-streams:read"
)
async def show(call: Call, live_stream_id: str, restream_id: str) -> RestreamAnswer:
    """Whether it runs, what has been sent, and why it does not if it does not."""
    async with call.services.database.read() as transaction:
        row, entry = await _find(transaction, call, live_stream_id, restream_id)
    return _answer(call, row, entry)


@operations.patch(
    "/live-streams/{liveStreamId}/restreams/{restreamId}", "Change a restream target", scope="live-streams:write",
    example={"enabled": False},
)  # fmt: skip
async def change(call: Call, live_stream_id: str, restream_id: str, body: RestreamChanges) -> RestreamAnswer:
    """A new URL or key is connected to at once while the live stream is on air."""
    changes = body.model_dump(by_alias=True, include=body.model_fields_set)
    return await _put(call, live_stream_id, restream_id, changes)


@operations.delete(
    "/live-streams/{liveStreamId}/restreams/{restreamId}", "Delete a restream target", scope="live-streams:write",
    status=204,
)  # fmt: skip
async def delete(call: Call, live_stream_id: str, restream_id: str) -> None:
    """A broadcast on air is passed on there no more."""
    async with call.services.database.write() as transaction:
        row, entry = await _find(transaction, call, live_stream_id, restream_id)
        await restreams.remove(transaction, row, entry["restreamId"])
    call.services.on_live_stream_changed(row)


@operations.put(
    "/live-streams/{liveStreamId}/restreams/{restreamId}/start", "Start restreaming", scope="live-streams:write"
)
async def start(call: Call, live_stream_id: str, restream_id: str) -> RestreamAnswer:
    """Enables the target: now, where the live stream is on air, and whenever it is."""
    return await _put(call, live_stream_id, restream_id, {"enabled": True})


@operations.put(
    "/live-streams/{liveStreamId}/restreams/{restreamId}/stop", "Stop restreaming", scope="live-streams:write"
)
async def stop(call: Call, live_stream_id: str, restream_id: str) -> RestreamAnswer:
    """Disables the target; the broadcast, and the other targets, go on."""
    return await _put(call, live_stream_id, restream_id, {"enabled": False})


async def _put(call: Call, live_stream_id: str, restream_id: str, changes: Entry) -> RestreamAnswer:
    async with call.services.database.write() as transaction:
        row, known = await _find(transaction, call, live_stream_id, restream_id)
        entry = {**known, **changes}
        if entry != known:
            await restreams.put(transaction, row, entry)
    call.services.on_live_stream_changed(row)
    return _answer(call, row, entry)


async def _find(
    transaction: Transaction, call: Call, live_stream_id: str, restream_id: str
) -> tuple[LiveStream, Entry]:
    """Raises Problem."""
    row = await find(transaction, call, live_stream_id)
    try:
        entry = restreams.find(row, ids.canonical("rs", restream_id))
    except ids.InvalidId:
        entry = None
    if entry is None:
        raise Problem("resource-not-found", name="restreamId")
    return row, entry


def _answer(call: Call, row: LiveStream, entry: Entry) -> RestreamAnswer:
    shown = call.request.app[RESTREAMS].status(row.id, entry["restreamId"])
    return RestreamAnswer(
        **restream(entry).model_dump(),
        status=shown.status.state,
        reason=shown.status.reason or None,
        since=shown.status.since,
        bytes=shown.bytes,
        reconnects=shown.status.reconnects,
        dropped_frames=shown.dropped,
    )
