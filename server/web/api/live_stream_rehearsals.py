"""Rehearsals of live streams: armed, looked at, ended."""

from typing import Annotated

from pydantic import Field

from server.catalog.models import LiveStream
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.live_stream_health import AudioHealth, HealthCounts, VideoHealth, audios, counts, videos, whole
from server.web.api.live_stream_warnings import HealthFault, HealthWarning, faults, fraction, warned
from server.web.api.live_streams import find
from server.web.shapes import Answer, Body
from server.web.typed import Call, Operations

REHEARSAL_S = 120
REHEARSAL_LIMIT_S = 1800

operations = Operations("Live streams")


class RehearsalBody(Body):
    duration: Annotated[
        int, Field(ge=5, le=REHEARSAL_LIMIT_S, description="Seconds that the next publisher is listened to.")
    ] = REHEARSAL_S


class RehearsalAnswer(Answer):
    """armed: the next publisher rehearses; running: it does; over: what was found.

    The verdict is ok or warnings, and null before anything has come.
    """

    state: str
    ends_in: Annotated[float | None, Field(description="Seconds.")]
    verdict: str | None
    protocol: str
    encoder: str
    video: list[VideoHealth]
    audio: list[AudioHealth]
    bitrate: Annotated[int | None, Field(description="Bits a second.")]
    skew: Annotated[int | None, Field(description="Milliseconds by which sound is ahead of the pictures.")]
    round_trip: Annotated[float | None, Field(description="Milliseconds, where the protocol measures it.")]
    packet_loss: Annotated[float | None, Field(description="Per cent.")]
    counts: HealthCounts | None
    warnings: list[HealthWarning]
    errors: list[HealthFault]


@operations.post(
    "/live-streams/{liveStreamId}/rehearsal", "Arm a rehearsal", scope="live-streams:write", status=201,
    errors=["conflict"], example={"duration": 60},
)  # fmt: skip
async def rehearse(call: Call, live_stream_id: str, body: RehearsalBody) -> RehearsalAnswer:
    """The next publisher is taken and measured, and nobody sees it. The rehearsal ends with the publisher, or after
    its time; one that nobody comes to within ten minutes is forgotten."""
    row = await _row(call, live_stream_id)
    broadcasts = call.request.app[BROADCASTS]
    on_air = broadcasts.get(row.id)
    if on_air is not None and on_air.state != "ended":
        raise Problem("conflict", "The live stream is on air.")
    broadcasts.rehearsals.arm(row.id, body.duration)
    return _rehearsal(broadcasts, row)


@operations.get("/live-streams/{liveStreamId}/rehearsal", "Show a rehearsal", scope="live-streams:read")
async def show_rehearsal(call: Call, live_stream_id: str) -> RehearsalAnswer:
    """The one under way, or the findings of the last one."""
    return _rehearsal(call.request.app[BROADCASTS], await _row(call, live_stream_id))


@operations.delete("/live-streams/{liveStreamId}/rehearsal", "End a rehearsal", scope="live-streams:write", status=204)
async def end_rehearsal(call: Call, live_stream_id: str) -> None:
    """Its publisher's connection is closed; the findings stay."""
    row = await _row(call, live_stream_id)
    call.request.app[BROADCASTS].rehearsals.end(row.id)


def _rehearsal(broadcasts: Broadcasts, row: LiveStream) -> RehearsalAnswer:
    found = broadcasts.rehearsals.findings(row.id)
    if found is None:
        raise Problem("resource-not-found", "There was no rehearsal.", name="liveStreamId")
    measures = found.measures
    return RehearsalAnswer(
        state=found.state,
        ends_in=found.left_s,
        verdict=found.verdict,
        protocol=found.protocol,
        encoder=found.facts.encoder if found.facts else "",
        video=videos(found.configs, measures),
        audio=audios(found.configs),
        bitrate=whole(measures.bitrate) if measures else None,
        skew=measures.skew_ms if measures else None,
        round_trip=fraction(measures.latest.link.rtt_ms) if measures and measures.latest.link else None,
        packet_loss=fraction(measures.loss_percent) if measures else None,
        counts=counts(measures) if measures else None,
        warnings=warned(found.warnings),
        errors=faults(found.faults),
    )


async def _row(call: Call, live_stream_id: str) -> LiveStream:
    async with call.services.database.read() as transaction:
        return await find(transaction, call, live_stream_id)
