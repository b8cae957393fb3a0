"""The picture of a live stream as its owner chooses it, in place of what is on air."""

from server import clock
from server.catalog import live_streams
from server.errors import Problem
from server.web.api.live_stream_shapes import LiveStreamAnswer, answer
from server.web.api.live_streams import find
from server.web.api.players import PICTURES
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.typed import Call, Operations

MAX_BYTES = 16 << 20  # of an upload: it is held in memory until it is coded

operations = Operations("Live streams")


@operations.post(
    "/live-streams/{liveStreamId}/thumbnail",
    "Upload a thumbnail",
    scope="live-streams:write",
    status=201,
    kind="upload",
    raw=of_one_file("A JPEG, PNG or WebP picture."),
    errors=SMALL_FILE_ERRORS,
)
async def upload(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """It is coded anew, 1280 pixels wide at most, and shown whether the live stream is on air or not."""
    async with call.services.database.read() as transaction:
        await find(transaction, call, live_stream_id)
    pictures = call.request.app[PICTURES]
    made = await pictures.poster(await small_file(call.request, MAX_BYTES))
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        row.poster_bytes = await pictures.put(row.id, made)
        row.poster_at = clock.now()
        await live_streams.tell(transaction, row, "updated", changed=["thumbnail"])
    return answer(call, row)


@operations.delete("/live-streams/{liveStreamId}/thumbnail", "Delete a thumbnail", scope="live-streams:write")
async def delete(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """What is on air is shown again."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        if row.poster_at is None:
            raise Problem("resource-not-found", "The live stream has no thumbnail of its own.", name="liveStreamId")
        row.poster_at = row.poster_bytes = None
        await live_streams.tell(transaction, row, "updated", changed=["thumbnail"])
    await call.request.app[PICTURES].remove(live_stream_id)
    return answer(call, row)
