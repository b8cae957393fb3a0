"""What live streams look like in requests and answers."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from server.catalog.models import LiveStream
from server.config import LatencyMode
from server.ingest import pull_source
from server.web import asset_urls
from server.web.api.renditions import Rendition, RenditionsChoice, renditions, renditions_column
from server.web.api.restream_shapes import Restream, RestreamBody, restream
from server.web.api.retention_shapes import Retention, RetentionBody
from server.web.api.schemas import TAGS_LIMIT, Metadata, MetadataList, pairs
from server.web.pagination import PageQuery, Pagination
from server.web.shapes import ABSENT, LEFT_OUT, Answer, Body, Changes, DateTime, Moment, PlayerId, Tag, Text, Title
from server.web.typed import Call

RESTREAMS_LIMIT = 50  # the setting live.max_restreams is lower: the dialect's 5, as a rule
RECONNECT_LIMIT_S = 1800
# for the document; `_source_url` is what checks
SOURCE_URL = r"^(rtmps?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9]+/[A-Za-z0-9]|srt://[A-Za-z0-9.-]+:[0-9]{1,5}"
SOURCE_URL += r"|https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/[A-Za-z0-9/]+[.]m3u8$)"
APPLICATION = "live"  # in rtmp://host/live; any is accepted


class ScheduleBody(Body):
    """When a live stream is on air; either time may be left out."""

    starts_at: Annotated[
        DateTime | None,
        Field(description="Publishers who come before are measured and not shown; they go on air at this time."),
    ] = None
    stops_at: Annotated[
        DateTime | None,
        Field(description="The broadcast completes at this time, and nobody is let in until the schedule is changed."),
    ] = None

    @model_validator(mode="after")
    def _in_order(self) -> "ScheduleBody":
        if self.starts_at and self.stops_at and self.stops_at <= self.starts_at:
            raise PydanticCustomError("schedule_order", "stopsAt should be later than startsAt.")
        return self


class Slate(Answer):
    """What viewers see while a lost broadcaster may come back."""

    width: int
    height: int
    duration: float


class Schedule(Answer):
    starts_at: Moment | None
    stops_at: Moment | None


Restreams = Annotated[list[RestreamBody], Field(max_length=RESTREAMS_LIMIT)]
Renditions = Annotated[
    RenditionsChoice,
    Field(
        description="passthrough: the picture as it comes alone; ladder: with lower renditions as its size suggests; "
        "or a list of lower renditions."
    ),
]
Tags = Annotated[list[Tag], Field(max_length=TAGS_LIMIT)]
SrtPassphrase = Annotated[
    str,
    StringConstraints(min_length=10, max_length=79, pattern=r"^[\x20-\x7e]+$"),
    Field(description="Publishers and readers over SRT need it; null or none: they send in plain."),
]
SrtMinKeyBits = Annotated[
    Literal[0, 128, 192, 256], Field(description="Least length of the key that an SRT caller encrypts with.")
]
ReconnectWindow = Annotated[
    int,
    Field(ge=0, le=RECONNECT_LIMIT_S, description="Seconds in which a lost broadcaster goes on in the same broadcast."),
]


def _source_url(text: str) -> str:
    try:
        pull_source.read(text)
    except ValueError as error:
        raise PydanticCustomError(
            "source_url",
            "The URL should have one of the following formats: [rtmp|rtmps]://[host]/[app name]/[stream], "
            "srt://[host]:[port]?streamid=…, https://[host]/….m3u8; {reason}.",
            {"reason": str(error)},
        ) from None
    return text


SourceUrl = Annotated[
    Text,
    StringConstraints(max_length=2000),
    AfterValidator(_source_url),
    Field(
        description="Pulled from there while the live stream is enabled, as if it were published with the stream key.",
        json_schema_extra={"pattern": SOURCE_URL, "examples": ["rtmp://a.example.com/app/stream"]},
    ),
]


class LiveStreamCreation(Body):
    name: Title
    public: bool = True
    player_id: PlayerId | None = None
    restreams: Restreams = Field(default_factory=list)
    record: bool = True
    latency_mode: Annotated[LatencyMode | None, Field(description="By default the server's own.")] = None
    reconnect_window: ReconnectWindow | None = None
    srt_passphrase: SrtPassphrase | None = None
    srt_min_key_bits: SrtMinKeyBits = 0
    source_url: SourceUrl | None = None
    schedule: ScheduleBody | None = None
    retention: RetentionBody | None = None
    renditions: Renditions = "passthrough"
    tags: Tags = Field(default_factory=list)
    metadata: MetadataList = Field(default_factory=list)


class LiveStreamChanges(Changes):
    """Changes of record, latencyMode, reconnectWindow and renditions take effect with the next broadcast.

    Those of the schedule count at once: a broadcast on air completes at the new end, and goes on where the new start
    lies ahead.
    """

    name: Title = ABSENT
    public: bool = ABSENT
    player_id: PlayerId | None = ABSENT
    restreams: Restreams = ABSENT
    record: bool = ABSENT
    latency_mode: LatencyMode = ABSENT
    reconnect_window: ReconnectWindow = ABSENT
    srt_passphrase: SrtPassphrase | None = ABSENT
    srt_min_key_bits: SrtMinKeyBits = ABSENT
    source_url: SourceUrl | None = ABSENT
    schedule: ScheduleBody | None = ABSENT
    retention: RetentionBody | None = ABSENT
    renditions: Renditions = ABSENT
    tags: Tags = ABSENT
    metadata: MetadataList = ABSENT
    tokens_valid_after: Annotated[
        DateTime | None, Field(description="Playback tokens made before this open nothing.")
    ] = ABSENT


class LiveStreamQuery(PageQuery):
    stream_key: str | None = None
    name: Annotated[str | None, Field(description="Contained in the name.")] = None
    sort_by: Literal["name", "createdAt", "updatedAt"] | None = None


class LiveStreamAssets(Answer):
    hls: str
    dash: str
    iframe: str
    player: str
    thumbnail: str


class SourceStatus(Answer):
    """How it goes with the source that is pulled."""

    state: Annotated[str, Field(description="idle, connecting, pulling or errored.")]
    reason: Annotated[str | None, Field(description="Why it is errored; it is tried again by itself.")]
    since: Moment
    reconnects: int


class LiveStreamLinks(Answer):
    """The broadcast on air, else the last one; and where the recordings are listed."""

    broadcast_id: str | None
    recordings: str


class LiveStreamAnswer(Answer):
    """A live stream. `rtmp` and `rtmps` are the server URLs for an encoder, beside the `streamKey`; `srt` holds
    the key already, and wants `srtPassphrase` beside it where there is one.

    A second encoder publishes with the `backupStreamKey`, once there is one, and takes over when the first is lost.
    """

    live_stream_id: str
    name: str
    stream_key: str
    backup_stream_key: str | None
    public: bool
    player_id: Annotated[str | None, LEFT_OUT]
    broadcasting: bool
    restreams: list[Restream]
    assets: LiveStreamAssets
    created_at: Moment
    updated_at: Moment
    state: str
    record: bool
    latency_mode: str
    reconnect_window: int
    schedule: Schedule | None
    slate: Slate | None
    retention: Retention | None
    renditions: Literal["passthrough", "ladder"] | list[Rendition]
    tags: list[str]
    metadata: list[Metadata]
    rtmp: str | None
    rtmps: str | None
    srt: str | None
    srt_passphrase: str | None
    srt_min_key_bits: int
    source_url: str | None
    source: SourceStatus | None
    tokens_valid_after: Moment | None
    links: LiveStreamLinks


class LiveStreamList(Answer):
    data: list[LiveStreamAnswer]
    pagination: Pagination


def answer(call: Call, row: LiveStream) -> LiveStreamAnswer:
    token = None if row.public else call.services.tokens.mint(row.id).token
    urls = asset_urls.of_live_stream(call.media_url, row.id, token)
    ports, host = call.services.ingest, urlsplit(call.base_url).hostname or ""
    return LiveStreamAnswer(
        live_stream_id=row.id,
        name=row.name,
        stream_key=row.stream_key,
        backup_stream_key=row.backup_key,
        public=row.public,
        player_id=row.player_id,
        broadcasting=row.state == "broadcasting",
        restreams=[restream(one) for one in row.restreams],
        assets=LiveStreamAssets(
            hls=urls.hls, dash=urls.dash, iframe=urls.iframe, player=urls.player, thumbnail=urls.thumbnail
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
        state=row.state,
        record=row.record,
        latency_mode=row.latency_mode,
        reconnect_window=row.reconnect_window_s,
        slate=Slate.model_validate(row.slate) if row.slate else None,
        schedule=Schedule(starts_at=row.starts_at, stops_at=row.stops_at) if row.starts_at or row.stops_at else None,
        retention=Retention.model_validate(row.retention) if row.retention else None,
        renditions=renditions(row.renditions),
        tags=row.tags,
        metadata=[Metadata(**pair) for pair in row.meta],
        rtmp=_publish_url("rtmp", host, ports.rtmp),
        rtmps=_publish_url("rtmps", host, ports.rtmps),
        srt=f"srt://{_authority(host)}:{ports.srt}?streamid={row.stream_key}" if ports.srt else None,
        srt_passphrase=row.srt_passphrase,
        srt_min_key_bits=row.srt_min_key_bits,
        source_url=row.source_url,
        source=_source(call, row),
        tokens_valid_after=row.tokens_valid_after,
        links=LiveStreamLinks(broadcast_id=row.broadcast_id, recordings=f"/videos?liveStreamId={row.id}"),
    )


def _source(call: Call, row: LiveStream) -> SourceStatus | None:
    found = call.services.source_status(row.id)
    if found is None:
        return None
    return SourceStatus(
        state=found.state, reason=found.reason or None, since=found.since, reconnects=found.reconnects
    )


def _publish_url(scheme: str, host: str, port: int | None) -> str | None:
    return f"{scheme}://{_authority(host)}:{port}/{APPLICATION}" if port else None


def _authority(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def columns(body: LiveStreamCreation | LiveStreamChanges, names: set[str]) -> dict[str, object]:
    """Attribute names and values of the row for the fields of these names."""
    found = {name: getattr(body, name) for name in names}
    if "metadata" in found:
        found["meta"] = pairs(found.pop("metadata"))
    if "reconnect_window" in found:
        window = found.pop("reconnect_window")
        if window is not None:
            found["reconnect_window_s"] = window
    if "schedule" in found:
        schedule = found.pop("schedule")
        found["starts_at"], found["stops_at"] = (schedule.starts_at, schedule.stops_at) if schedule else (None, None)
    if "retention" in found:
        retention = found["retention"]
        found["retention"] = retention.model_dump(exclude_none=True) if retention else None
    if "renditions" in found:
        found["renditions"] = renditions_column(body.renditions)
    if "restreams" in found:
        found["restreams"] = [one.model_dump(by_alias=True) for one in found["restreams"]]
    return found
