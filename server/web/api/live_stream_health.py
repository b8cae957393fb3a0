"""The health of live streams: what their publishers send, measured and judged."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field
from pydantic.alias_generators import to_camel

from server import clock
from server.catalog.models import LiveStream
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.ingest.health.gauge import Measures
from server.ingest.health.series import BUCKET_S
from server.ingest.on_air import OnAir, Publisher, Stage
from server.web.api.live_stream_control import BROADCASTS
from server.web.api.live_stream_ladder import LadderHealth, ladder_health
from server.web.api.live_stream_warnings import HealthFault, HealthWarning, faults, fraction, moment, warned
from server.web.api.live_streams import find
from server.web.shapes import Answer, Moment
from server.web.typed import Call, Operations

operations = Operations("Live streams")


class EncoderHealth(Answer):
    """A connection. `statistics` are the protocol's own counters."""

    ingest: Annotated[str, Field(description="primary or backup: the key that it publishes with")]
    protocol: str
    encoder: str
    address: str
    connected: Annotated[float, Field(description="Seconds.")]
    silent: Annotated[float, Field(description="Seconds since anything came.")]
    announced_frame_rate: float | None
    announced_bitrate: int | None
    statistics: dict[str, float]


class VideoHealth(Answer):
    """Pictures; `frameRate` is measured."""

    track: str
    codec: str
    width: int
    height: int
    frame_rate: float | None
    key_frame_interval: Annotated[float | None, Field(description="Seconds.")]
    language: str


class AudioHealth(Answer):
    track: str
    codec: str
    sample_rate: int
    channels: int
    language: str


class HealthCounts(Answer):
    """Since the broadcast began; after a restart of the server, since that."""

    bytes: int
    video_frames: int
    audio_frames: int
    dropped: Annotated[int, Field(description="Pictures and sounds that could not be placed.")]
    late_audio: Annotated[int, Field(description="Sounds whose time had passed.")]
    repaired: Annotated[int, Field(description="Timestamps out of order, since the encoder connected.")]
    silence: Annotated[int, Field(description="Milliseconds of silence put in for missing sound.")]
    repeated: Annotated[int, Field(description="Key frames shown again for missing pictures.")]
    reconnects: int
    packets_lost: int | None
    packets_dropped: int | None


class HealthAnswer(Answer):
    """Rates are measured over five seconds; what is null is not known, or nobody sends it.

    The state is idle, disabled, connecting, live, interrupted, rehearsing, or ended for a minute after the end.
    """

    live_stream_id: str
    broadcast_id: str | None
    state: str
    encoder: EncoderHealth | None
    standby: Annotated[EncoderHealth | None, Field(description="The other encoder, which is not shown.")]
    video: list[VideoHealth]
    audio: list[AudioHealth]
    bitrate: Annotated[int | None, Field(description="Bits a second.")]
    bitrate_last_minute: int | None
    skew: Annotated[int | None, Field(description="Milliseconds by which sound is ahead of the pictures.")]
    round_trip: Annotated[float | None, Field(description="Milliseconds, where the protocol measures it.")]
    packet_loss: Annotated[float | None, Field(description="Per cent of the last minute.")]
    playlists: Annotated[int, Field(description="Players that asked this node for a playlist lately.")]
    counts: HealthCounts | None
    ladder: Annotated[LadderHealth | None, Field(description="Lower renditions, where they are made.")]
    warnings: list[HealthWarning]
    errors: Annotated[list[HealthFault], Field(description="The last ones, newest first.")]


class HealthPoint(Answer):
    at: Moment
    bitrate: int | None
    frame_rate: float | None
    key_frame_interval: float | None
    skew: int | None
    round_trip: float | None
    packet_loss: float | None
    dropped: int | None
    playlists: int


class HealthSeries(Answer):
    """Points of the last hour that the live stream was on air without a break, oldest first."""

    live_stream_id: str
    interval: Annotated[int, Field(description="Seconds from point to point.")]
    data: list[HealthPoint]


@operations.get("/live-streams/{liveStreamId}/health", "Show how it goes with a live stream", scope="live-streams:read")
async def health(call: Call, live_stream_id: str) -> HealthAnswer:
    """Measured once a second, of what is on air or rehearses on this node."""
    row, stage = await _stage(call, live_stream_id)
    if stage is None:
        return _nothing(row)
    known, measures, publisher = stage.health, stage.health.measures, stage.publisher
    return HealthAnswer(
        live_stream_id=row.id,
        broadcast_id=stage.broadcast_id if isinstance(stage, OnAir) else None,
        state=stage.state if isinstance(stage, OnAir) else "rehearsing",
        encoder=_encoder(publisher) if publisher else None,
        standby=_encoder(stage.standby) if stage.standby else None,
        video=videos(publisher.configs, measures) if publisher else [],
        audio=audios(publisher.configs) if publisher else [],
        bitrate=whole(measures.bitrate) if measures else None,
        bitrate_last_minute=whole(measures.bitrate_minute) if measures else None,
        skew=measures.skew_ms if measures else None,
        round_trip=fraction(measures.latest.link.rtt_ms) if measures and measures.latest.link else None,
        packet_loss=fraction(measures.loss_percent) if measures else None,
        playlists=known.pollers.count(clock.monotonic()),
        counts=counts(measures) if measures else None,
        ladder=ladder_health(call.request.app, stage.broadcast_id) if isinstance(stage, OnAir) else None,
        warnings=warned(known.episodes.active),
        errors=faults(known.faults),
    )


@operations.get(
    "/live-streams/{liveStreamId}/health/series", "Show the last hour of a live stream", scope="live-streams:read"
)
async def series(call: Call, live_stream_id: str) -> HealthSeries:
    """How the broadcast on air went in the last minutes, one point for each `interval` seconds."""
    row, stage = await _stage(call, live_stream_id)
    points = [
        HealthPoint(
            at=moment(point.at_ms),
            bitrate=point.bitrate,
            frame_rate=fraction(point.frame_rate),
            key_frame_interval=fraction(point.key_interval_s),
            skew=point.skew_ms,
            round_trip=fraction(point.rtt_ms),
            packet_loss=fraction(point.loss_percent),
            dropped=point.dropped,
            playlists=point.playlists,
        )
        for point in (stage.health.series.points if stage else ())
    ]
    return HealthSeries(live_stream_id=row.id, interval=BUCKET_S, data=points)


async def _stage(call: Call, live_stream_id: str) -> tuple[LiveStream, Stage | None]:
    async with call.services.database.read() as transaction:
        row = await find(transaction, call, live_stream_id)
    broadcasts = call.request.app[BROADCASTS]
    return row, broadcasts.rehearsals.get(row.id) or broadcasts.get(row.id)


def _nothing(row: LiveStream) -> HealthAnswer:
    return HealthAnswer(
        live_stream_id=row.id, broadcast_id=None, state=row.state, encoder=None, standby=None, video=[], audio=[],
        bitrate=None, bitrate_last_minute=None, skew=None, round_trip=None, packet_loss=None, playlists=0, counts=None,
        ladder=None, warnings=[], errors=[],
    )  # fmt: skip


def _encoder(publisher: Publisher) -> EncoderHealth:
    facts, now = publisher.connection.facts(), clock.monotonic()
    return EncoderHealth(
        ingest=publisher.role,
        protocol=publisher.connection.protocol,
        encoder=facts.encoder,
        address=facts.peer,
        connected=round(now - publisher.connected_at, 1),
        silent=round(max(0.0, now - publisher.connection.last_heard()), 1),
        announced_frame_rate=facts.frame_rate,
        announced_bitrate=whole(facts.bitrate),
        statistics=_rounded(facts.counters),
    )


def videos(configs: Mapping[str, TrackConfig], measures: Measures | None) -> list[VideoHealth]:
    return [
        VideoHealth(
            track=track,
            codec=config.codec,
            width=config.width,
            height=config.height,
            frame_rate=fraction(measures.frame_rate) if measures and track == "video" else None,
            key_frame_interval=fraction(measures.key_interval_s) if measures and track == "video" else None,
            language=config.language,
        )
        for track, config in configs.items()
        if isinstance(config, VideoConfig)
    ]


def audios(configs: Mapping[str, TrackConfig]) -> list[AudioHealth]:
    return [
        AudioHealth(
            track=track,
            codec=config.codec,
            sample_rate=config.timescale,
            channels=config.channels,
            language=config.language,
        )
        for track, config in configs.items()
        if isinstance(config, AudioConfig)
    ]


def counts(measures: Measures) -> HealthCounts:
    latest = measures.latest
    return HealthCounts(
        bytes=latest.bytes,
        video_frames=latest.video_frames,
        audio_frames=latest.audio_frames,
        dropped=latest.dropped,
        late_audio=latest.late_audio,
        repaired=latest.repaired,
        silence=latest.silence_ms,
        repeated=latest.stand_ins,
        reconnects=latest.returns,
        packets_lost=latest.link.lost if latest.link else None,
        packets_dropped=latest.link.dropped if latest.link else None,
    )


def whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _rounded(counters: Mapping[str, float]) -> dict[str, float]:
    return {to_camel(name): round(value, 3) for name, value in counters.items()}
