"""The slate of a live stream: uploaded, taken away."""

from collections.abc import Mapping
from typing import Any

from aiohttp import hdrs, web

from server.catalog import events
from server.errors import Problem
from server.formats.sample import VideoConfig
from server.ingest.slates import SIZE, Slates
from server.protocols.multipart import Parser, PartBegin, PartData, PartEnd, boundary_of
from server.web import bodies
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.live_stream_shapes import LiveStreamAnswer, answer
from server.web.api.live_streams import find
from server.web.typed import Call, Operations

SLATES = web.AppKey("slates", Slates)
MAX_BYTES = 32 << 20  # of an upload: it is held in memory until it is coded
ENVELOPE_BYTES = 1 << 16  # what a form may have around its file

_FORM: Mapping[str, Any] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "A picture, or a clip of some seconds."}
        },
    }
}

operations = Operations("Live streams")


@operations.post(
    "/live-streams/{liveStreamId}/slate",
    "Upload a slate",
    scope="live-streams:write",
    status=201,
    kind="upload",
    raw=_FORM,
    errors=[
        "uploaded-file-no-file",
        "uploaded-file-multiple-files",
        "uploaded-file-invalid-file",
        "uploaded-file-too-large",
        "unsupported-media-type",
        "invalid-payload",
    ],
)
async def upload(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """A picture, or a clip of which ten seconds are taken, that viewers see while a lost broadcaster may come back.

    It is coded once, in the size of what is on air now, else 1280 by 720, and shown from the next interruption on, with
    silence. The recording keeps it.
    """
    async with call.services.database.read() as transaction:
        await find(transaction, call, live_stream_id)
    media = await _file(call.request)
    made = await call.request.app[SLATES].make(live_stream_id, media, _size(call, live_stream_id))
    return await _keep(call, live_stream_id, made)


@operations.delete("/live-streams/{liveStreamId}/slate", "Delete a slate", scope="live-streams:write")
async def delete(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """What is shown now goes on until the broadcaster is back."""
    found = await _keep(call, live_stream_id, None)
    await call.request.app[SLATES].remove(live_stream_id)
    return found


async def _keep(call: Call, live_stream_id: str, slate: dict[str, float] | None) -> LiveStreamAnswer:
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        row.slate = slate
        payload = {"liveStreamId": row.id, "changed": ["slate"]}
        await events.record(transaction, row.project_id, row.id, "live-stream.updated", payload)
    return answer(call, row)


def _size(call: Call, live_stream_id: str) -> tuple[int, int]:
    on_air = call.request.app[BROADCASTS].get(live_stream_id)
    config = on_air.publisher.video_config if on_air and on_air.publisher else None
    return (config.width, config.height) if isinstance(config, VideoConfig) else SIZE


async def _file(request: web.Request) -> bytes:
    """The one file of a form. Raises Problem."""
    parser, reader = Parser(boundary_of(request.headers.get(hdrs.CONTENT_TYPE, ""))), _Reader()
    received = 0
    async for chunk in bodies.chunks(request):
        received += len(chunk)
        if received > MAX_BYTES + ENVELOPE_BYTES:
            raise Problem("uploaded-file-too-large", f"At most {MAX_BYTES} bytes are taken.")
        for event in parser.receive_data(chunk):
            reader.take(event)
    parser.close()
    if reader.file is None:
        raise Problem("uploaded-file-no-file")
    return bytes(reader.file)


class _Reader:
    """The part that has a file name, or is called file; others are passed over."""

    def __init__(self) -> None:
        self.file: bytearray | None = None
        self._open = False

    def take(self, event: PartBegin | PartData | PartEnd) -> None:
        if isinstance(event, PartBegin):
            self._open = event.filename is not None or event.name == "file"
            if self._open and self.file is not None:
                raise Problem("uploaded-file-multiple-files")
            if self._open:
                self.file = bytearray()
        elif isinstance(event, PartData) and self._open and self.file is not None:
            self.file += event.data
