"""Live streams under control: enable and disable, keys, recording while on air."""

from aiohttp import web

from server.catalog import live_streams
from server.catalog.models import LiveStream
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import OnAir
from server.ingest.switch import Role
from server.web.api.live_stream_shapes import LiveStreamAnswer, answer
from server.web.api.live_streams import find
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

BROADCASTS = web.AppKey("broadcasts", Broadcasts)
DISABLED = "the live stream was disabled"
KEY_RESET = "the stream key was reset"

operations = Operations("Live streams")


class Interval(Answer):
    """A part of the broadcast that is recorded. `videoId` once it can be watched."""

    started_at: Moment
    stopped_at: Moment | None
    video_id: str | None


class RecordingAnswer(Answer):
    """What is recorded of the broadcast on air."""

    broadcast_id: str
    recording: bool
    intervals: list[Interval]


@operations.put("/live-streams/{liveStreamId}/enable", "Enable a live stream", scope="live-streams:write")
async def enable(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """Lets publishers in again."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        await live_streams.enable(transaction, row)
    call.services.on_live_stream_changed(row)
    return answer(call, row)


@operations.put("/live-streams/{liveStreamId}/disable", "Disable a live stream", scope="live-streams:write")
async def disable(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """Ends what is on air, and refuses publishers until the live stream is enabled again."""
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        await live_streams.move(transaction, row, "disabled")
    call.services.on_live_stream_changed(row)
    broadcasts = _broadcasts(call)
    broadcasts.rehearsals.end(row.id, DISABLED)
    await broadcasts.complete(row.id, DISABLED)
    return answer(call, row)


# --- keys


@operations.post(
    "/live-streams/{liveStreamId}/reset-stream-key", "Make a new stream key", scope="live-streams:write", command=True
)
async def reset_key(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """The old key opens nothing any more; a publisher that has used it is cut off, and may come back with the new one
    within the reconnect window."""
    return await _reset(call, live_stream_id, "primary")


@operations.post(
    "/live-streams/{liveStreamId}/reset-backup-stream-key", "Make a backup stream key", scope="live-streams:write",
    command=True,
)  # fmt: skip
async def reset_backup_key(call: Call, live_stream_id: str) -> LiveStreamAnswer:
    """The first one, or a new one in place of the old. A second encoder publishes with it beside the first."""
    return await _reset(call, live_stream_id, "backup")


async def _reset(call: Call, live_stream_id: str, role: Role) -> LiveStreamAnswer:
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, live_stream_id)
        await live_streams.reset_key(transaction, row, backup=role == "backup")
    await _broadcasts(call).cut(row.id, role, KEY_RESET)
    return answer(call, row)


# --- recording


@operations.get(
    "/live-streams/{liveStreamId}/recording", "Show what is being recorded", scope="live-streams:read",
    errors=["conflict"],
)  # fmt: skip
async def recording(call: Call, live_stream_id: str) -> RecordingAnswer:
    """The intervals of the broadcast on air that were or are recorded; 409 while nobody is on air."""
    row = await _row(call, live_stream_id)
    on_air = _broadcasts(call).get(row.id)
    if on_air is None:
        raise Problem("conflict", "Nobody is on air.")
    return _recording(on_air)


@operations.post(
    "/live-streams/{liveStreamId}/recording/start", "Record from now on", scope="live-streams:write", command=True,
    errors=["conflict"],
)  # fmt: skip
async def start_recording(call: Call, live_stream_id: str) -> RecordingAnswer:
    """From the segment on that is on air now, about two seconds long. Nothing happens where recording runs."""
    row = await _row(call, live_stream_id)
    return _recording(await _broadcasts(call).recordings.start(row.id))


@operations.post(
    "/live-streams/{liveStreamId}/recording/stop", "Stop recording", scope="live-streams:write", command=True,
    errors=["conflict"],
)  # fmt: skip
async def stop_recording(call: Call, live_stream_id: str) -> RecordingAnswer:
    """With the segment that is on air now; the recording becomes a video at once, and the broadcast goes on."""
    row = await _row(call, live_stream_id)
    return _recording(await _broadcasts(call).recordings.stop(row.id))


def _recording(on_air: OnAir) -> RecordingAnswer:
    intervals = [
        Interval(started_at=each["startedAt"], stopped_at=each["stoppedAt"], video_id=each["videoId"])
        for each in on_air.intervals
    ]
    runs = bool(on_air.intervals) and on_air.intervals[-1]["last"] is None and on_air.state != "ended"
    return RecordingAnswer(broadcast_id=on_air.broadcast_id, recording=runs, intervals=intervals)


async def _row(call: Call, live_stream_id: str) -> LiveStream:
    async with call.services.database.read() as transaction:
        return await find(transaction, call, live_stream_id)


def _broadcasts(call: Call) -> Broadcasts:
    return call.request.app[BROADCASTS]
