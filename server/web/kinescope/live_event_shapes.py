"""What live events look like in requests and answers."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from server.catalog.models import Broadcast, LiveStream
from server.catalog.sharing_models import LiveEvent
from server.config import LatencyMode
from server.media.ladder import MAX_RUNGS
from server.web.api.live_stream_shapes import RECONNECT_LIMIT_S, RESTREAMS_LIMIT, LiveStreamAnswer
from server.web.api.restream_shapes import ServerUrl, StreamKey
from server.web.kinescope import identifiers
from server.web.kinescope.paging import PageQuery
from server.web.kinescope.shapes import Answer, Body, Changes, GivenId, Id, Moment
from server.web.kinescope.values import Name, Note
from server.web.shapes import ABSENT, DateTime, Text, Title
from server.web.typed import Call

# of a broadcast of ours -> of a stream of the dialect
STATUSES: Mapping[str, str] = {
    "connecting": "pending", "live": "live", "interrupted": "reconnecting", "ended": "finished", "recorded": "finished",
}  # fmt: skip
RESTREAM_STATUSES: Mapping[str, str] = {
    "idle": "disconnected", "connecting": "connecting", "broadcasting": "connected", "errored": "error",
}  # fmt: skip
# what is kept for its owner, and what it is unless it was given
SWITCHES: Mapping[str, bool] = {
    "auto_start": False, "time_shift": False, "show_members": True, "chat_active": False, "chat_after_stream": True,
    "chat_preview": True,
}  # fmt: skip

Kind = Literal["recurring", "one-time"]
Preset = Literal["360p", "480p", "720p", "1080p", "1440p", "2160p"]
Switch = Annotated[bool, Field(description="Kept, and given back.")]
Window = Annotated[int, Field(ge=0, le=RECONNECT_LIMIT_S, description="Seconds.")]
Plain = Annotated[Literal[False], Field(description="Live streams are not encrypted here.")]


class Scheduled(Body):
    time: DateTime | None = None


class Record(Body):
    parent_id: Annotated[GivenId | None, Field(description="Where recordings are put: a project or a folder.")] = None


class VideoSettings(Body):
    presets: Annotated[
        list[Preset] | None, Field(max_length=MAX_RUNGS, description="Lower renditions; none: the picture as it comes.")
    ] = None


class RestreamBody(Body):
    name: Name
    url: ServerUrl
    key: StreamKey
    description: Note = ""
    enabled: bool = True


class RestreamChanges(Changes):
    name: Name = ABSENT
    url: ServerUrl = ABSENT
    key: StreamKey = ABSENT
    description: Note = ABSENT
    enabled: bool = ABSENT


Restreams = Annotated[list[RestreamBody], Field(max_length=RESTREAMS_LIMIT)]


class EventCreation(Body):
    """`record` null: recordings are not kept; left out, they are."""

    name: Title
    type: Kind = "recurring"
    subtitle: Note = ""
    parent_id: GivenId | None = None
    auto_start: Switch = False
    protected: Plain = False
    time_shift: Switch = False
    reconnect_window: Window = 600
    scheduled: Scheduled | None = None
    record: Record | None = Field(default_factory=Record)
    video: VideoSettings | None = None
    restreams: Restreams = Field(default_factory=list)
    latency_mode: LatencyMode | None = None
    show_members: Switch = True
    chat_active: Switch = False
    chat_after_stream: Switch = True
    chat_preview: Switch = True


class EventChanges(Changes):
    name: Annotated[Text, Field(max_length=1000, description='"": as it is.')] = ABSENT
    type: Kind = ABSENT
    subtitle: Note = ABSENT
    auto_start: Switch = ABSENT
    protected: Plain = ABSENT
    time_shift: Switch = ABSENT
    reconnect_window: Window = ABSENT
    scheduled: Scheduled | None = ABSENT
    record: Record | None = ABSENT
    video: VideoSettings | None = ABSENT
    restreams: Restreams = ABSENT
    latency_mode: LatencyMode = ABSENT
    show_members: Switch = ABSENT
    chat_active: Switch = ABSENT
    chat_after_stream: Switch = ABSENT
    chat_preview: Switch = ABSENT


class EventQuery(PageQuery):
    SORTABLE: ClassVar[Mapping[str, str]] = {name: name for name in ("created_at", "name", "updated_at")}

    folder_id: Annotated[GivenId | None, Field(description="Directly in this folder.")] = None
    project_id: Annotated[GivenId | None, Field(description="In this project, however deep.")] = None
    without_folder: Annotated[bool, Field(description="Directly in a project.")] = False


class StreamAnswer(Answer):
    """A broadcast: the one on air, the one to come, or the last one. `status` is pending, live, reconnecting or
    finished."""

    id: Id
    event_id: Id
    status: str
    started_at: Moment | None
    finished_at: Moment | None


class RestreamAnswer(Answer):
    id: Id
    event_id: Id
    name: str
    url: str
    key: str
    status: Annotated[str, Field(description="disconnected, connecting, connected or error.")]
    enabled: bool
    description: str
    created_at: Moment
    updated_at: Moment | None


class ScheduledAnswer(Answer):
    time: Moment | None


class RecordAnswer(Answer):
    parent_id: Id | None


class VideoAnswer(Answer):
    presets: list[str] | None


class AudioAnswer(Answer):
    channel_mapping: None = None


class PosterAnswer(Answer):
    id: Id
    type: str = "image"
    status: str = "done"
    active: bool = True
    original: str
    md: str
    sm: str
    xs: str
    from_time: int = 0
    to_time: int = 0


class EventAnswer(Answer):
    id: Id
    workspace_id: Id
    parent_id: Id | None
    name: str
    subtitle: str
    type: Kind
    streamkey: str
    enabled: Annotated[bool, Field(description="Whether publishers are let in.")]
    auto_start: bool
    protected: bool = False
    time_shift: bool
    show_members: bool
    chat_active: bool
    chat_after_stream: bool
    chat_preview: bool
    record: RecordAnswer | None
    video: VideoAnswer
    audio: AudioAnswer = AudioAnswer()
    restreams: list[RestreamAnswer]
    reconnect_window: int
    play_link: str
    embed_link: str
    hls_link: str
    rtmp_link: str | None
    rtmps_link: str | None
    srt_link: str | None
    scheduled: ScheduledAnswer | None
    stream: StreamAnswer | None
    latency_mode: str
    poster: PosterAnswer
    created_at: Moment
    updated_at: Moment


class QosPoint(Answer):
    """Ten seconds of the last hour."""

    time: Moment
    bitrate_video: Annotated[int | None, Field(description="Bits a second of pictures and sound together.")]
    bitrate_audio: Annotated[int | None, Field(description="Null: they are measured together.")] = None
    frame_rate: float | None
    status: Annotated[str, Field(description="ok, or silent: nothing came.")]


def presets(column: Any) -> list[str] | None:
    return [f"{each['height']}p" for each in column] if isinstance(column, list) else None


def renditions(chosen: VideoSettings | None) -> Any:
    """As the column has them."""
    names = dict.fromkeys(chosen.presets or ()) if chosen else {}
    return [{"height": int(name.removesuffix("p"))} for name in names] or "passthrough"


def event(
    call: Call, row: LiveStream, native: LiveStreamAnswer, kept: LiveEvent, stream: StreamAnswer | None,
    targets: list[RestreamAnswer],
) -> EventAnswer:  # fmt: skip
    """`native` is how the API at the root shows it."""
    switches = {name: kept.facts.get(name, standard) for name, standard in SWITCHES.items()}
    return EventAnswer(
        id=row.id,
        workspace_id=row.project_id,
        parent_id=kept.parent_id,
        name=row.name,
        subtitle=kept.subtitle,
        type=kept.kind,  # type: ignore[arg-type]  # written as that
        streamkey=row.stream_key,
        enabled=row.state != "disabled",
        **switches,
        record=RecordAnswer(parent_id=kept.record_parent_id) if row.record else None,
        video=VideoAnswer(presets=presets(row.renditions)),
        restreams=targets,
        reconnect_window=row.reconnect_window_s,
        play_link=native.assets.player,
        embed_link=native.assets.player,
        hls_link=native.assets.hls,
        rtmp_link=native.rtmp,
        rtmps_link=native.rtmps,
        srt_link=native.srt,
        scheduled=ScheduledAnswer(time=row.starts_at) if row.starts_at else None,
        stream=stream,
        latency_mode=row.latency_mode,
        poster=_poster(row, native.assets.thumbnail),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_come(row: LiveStream) -> StreamAnswer | None:
    """The broadcast that the schedule tells of."""
    if row.starts_at is None:
        return None
    name = identifiers.made("stream", row.id, row.starts_at.isoformat())
    return StreamAnswer(id=name, event_id=row.id, status="pending", started_at=row.starts_at, finished_at=None)


def of_broadcast(row: Broadcast) -> StreamAnswer:
    return StreamAnswer(
        id=row.id, event_id=row.live_stream_id, status=STATUSES[row.state], started_at=row.started_at,
        finished_at=row.ended_at,
    )  # fmt: skip


def _poster(row: LiveStream, url: str) -> PosterAnswer:
    return PosterAnswer(id=identifiers.made("poster", row.id), original=url, md=url, sm=url, xs=url)
