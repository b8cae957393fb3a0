"""What live events come to: their schedule, their recordings, and how it goes with them."""

from datetime import UTC, datetime
from typing import ClassVar

from server.catalog import live_streams, videos
from server.catalog.videos import Filter
from server.errors import Problem
from server.ingest.health.series import Point
from server.web.api.live_stream_control import BROADCASTS
from server.web.kinescope import live_events, video_answers
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.live_event_shapes import QosPoint, StreamAnswer
from server.web.kinescope.paging import PageQuery, listed
from server.web.kinescope.shapes import All, Body, Data, Listed
from server.web.kinescope.video_answers import VideoAnswer
from server.web.shapes import DateTime
from server.web.typed import Call

READ, WRITE = "live-streams:read", "live-streams:write"
EXAMPLE = {"started_at": "2026-11-15T12:42:00.991558Z"}

operations = kinescope_operations("Live events")


class StreamBody(Body):
    started_at: DateTime


class RecordingQuery(PageQuery):
    SORTABLE: ClassVar[dict[str, str]] = {"created_at": "createdAt", "updated_at": "updatedAt", "title": "title"}


@operations.post("/v2/live/events/{event_id}/stream", "Schedule a stream", scope=WRITE, example=EXAMPLE)
async def schedule(call: Call, event_id: str, body: StreamBody) -> Data[StreamAnswer]:
    """Publishers who come before are measured and not shown; they go on air at this time."""
    return await _schedule(call, event_id, body, again=False)


@operations.put(
    "/v2/live/events/{event_id}/stream", "Change the schedule of a stream", scope=WRITE, example=EXAMPLE
)
async def reschedule(call: Call, event_id: str, body: StreamBody) -> Data[StreamAnswer]:
    return await _schedule(call, event_id, body, again=True)


@operations.get("/v2/live/events/{event_id}/videos", "List the recordings of a live event", scope=READ)
async def recordings(call: Call, event_id: str, query: RecordingQuery) -> Listed[VideoAnswer]:
    paging = query.paging()
    async with call.services.database.read() as transaction:
        row = await live_events.find(transaction, call, event_id)
        page = await videos.page(transaction, call.project_id, Filter(live_stream_id=row.id), paging)
        answers = await video_answers.several(transaction, call, page.rows)
    return listed(query, page, answers)


@operations.get("/v2/live/events/{event_id}/qos", "Show what is sent", scope=READ)
async def qos(call: Call, event_id: str) -> All[QosPoint]:
    """The last hour that the event was on air without a break, oldest first; nothing where it is not."""
    async with call.services.database.read() as transaction:
        row = await live_events.find(transaction, call, event_id)
    broadcasts = call.request.app[BROADCASTS]
    stage = broadcasts.rehearsals.get(row.id) or broadcasts.get(row.id)
    return All(data=[_point(point) for point in (stage.health.series.points if stage else ())])


async def _schedule(call: Call, event_id: str, body: StreamBody, *, again: bool) -> Data[StreamAnswer]:
    async with call.services.database.write() as transaction:
        row = await live_events.find(transaction, call, event_id)
        if again and row.starts_at is None:
            raise Problem("resource-not-found", "Nothing is scheduled.", name="event_id")
        await live_streams.enable(transaction, row)
        found = await live_events.schedule(transaction, row, body.started_at)
        transaction.after_commit(lambda: call.services.on_live_stream_changed(row))
    return Data(data=found)


def _point(point: Point) -> QosPoint:
    return QosPoint(
        time=datetime.fromtimestamp(point.at_ms / 1000, UTC),
        bitrate_video=point.bitrate,
        frame_rate=round(point.frame_rate, 3) if point.frame_rate is not None else None,
        status="ok" if point.bitrate else "silent",
    )
