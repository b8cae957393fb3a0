"""The slate of a live stream: uploaded, taken away."""

from aiohttp import web

from server.catalog import live_streams
from server.formats.sample import VideoConfig
from server.ingest.slates import SIZE, Slates
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.live_stream_shapes import LiveStreamAnswer, answer
from server.web.api.live_streams import find
from server.web.forms import SMALL_FILE_ERRORS, of_one_file, small_file
from server.web.typed import Call, Operations

SLATES = web.AppKey("slates", Slates)
MAX_BYTES = 32 << 20  # of an upload: it is held in memory until it is coded

operations = Operations("Live streams")


@operations.post(
    "/live-streams/{liveStreamId}/slate",
    "Upload a slate",
    scope="live-streams:write",
    status=201,
    kind="upload",
    raw=of_one_file("A picture, or a clip of some seconds."),
    errors=SMALL_FILE_ERRORS,
)
async def upload(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """A picture, or a clip of which ten seconds are taken, that viewers see while a lost broadcaster may come back.

    It is coded once, in the size of what is on air now, else 1280 by 720, and shown from the next interruption on, with
    silence. The recording keeps it.
    """
    async with call.services.database.read() as transaction:
        await find(transaction, call, live_stream_id)
    media = await small_file(call.request, MAX_BYTES)
    made = await call.request.app[SLATES].make(live_stream_id, media, _size(call, live_stream_id))
    return await _keep(call, live_stream_id, *made)


@operations.delete("/live-streams/{liveStreamId}/slate", "Delete a slate", scope="live-streams:write")
async def delete(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """What is shown now goes on until the broadcaster is back."""
    found = await _keep(call, live_stream_id, None, None)
    await call.request.app[SLATES].remove(live_stream_id)
    return found


async def _keep(
    call: Call, live_stream_id: str, slate: dict[str, float] | None, size: int | None
) -> LiveStreamAnswer:
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        row.slate, row.slate_bytes = slate, size
        await live_streams.tell(transaction, row, "updated", changed=["slate"])
    return answer(call, row)


def _size(call: Call, live_stream_id: str) -> tuple[int, int]:
    on_air = call.request.app[BROADCASTS].get(live_stream_id)
    config = on_air.publisher.video_config if on_air and on_air.publisher else None
    return (config.width, config.height) if isinstance(config, VideoConfig) else SIZE
