"""What an endpoint is sent, in the shape that its receiver knows. Pure: an event in, a name and a JSON object out.

Formats: `native`, `api.video` (its `x-webhooks`), `kinescope` (`{event, data}`, one event for the states of a video),
`cinema8` (asset id, event type, timestamp, error code). Each has names of its own for some of our events; every other
event is available in every format under our name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server import ids
from server.catalog import event_names

PING = "webhook.ping"

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """An event, as rows hold it."""

    id: str
    type: str
    project_id: str
    object_id: str
    sequence: int
    created_at: datetime
    payload: Mapping[str, Any] = field(default_factory=dict)


Fields = Callable[[Told], Body]
Applies = Callable[[Told], bool]


@dataclass(frozen=True, slots=True)
class Name:
    """A name of a format's own: which of our events it is told for, and what it carries beside the envelope."""

    of: Sequence[str]  # our names, or patterns
    fields: Fields = lambda told: {}
    applies: Applies = lambda told: True


@dataclass(frozen=True, slots=True)
class Format:
    names: Mapping[str, Name]
    envelope: Callable[[str, Told, Body | None], Body]  # name, event, fields of a name of its own


@dataclass(frozen=True, slots=True)
class Message:
    """`name` is the event in the words of the format."""

    name: str
    body: Body


def message(format: str, wanted: Sequence[str], told: Told) -> Message | None:
    """What an endpoint with these subscriptions is sent; None if it did not ask for the event. A name of the
    format's own comes before ours."""
    kind = FORMATS[format]
    if told.type == PING:
        return Message(PING, kind.envelope(PING, told, None))
    for name, row in kind.names.items():
        if (name in wanted or "*" in wanted) and _is_told(row, told):
            return Message(name, kind.envelope(name, told, row.fields(told)))
    if any(event_names.matches(pattern, told.type) for pattern in wanted):
        return Message(told.type, kind.envelope(told.type, told, None))
    return None


def is_name(format: str, name: str) -> bool:
    """Whether an endpoint of the format can ask for it: a name of the format, ours, or a pattern of ours."""
    return name in FORMATS[format].names or event_names.names_any(name)


def _is_told(row: Name, told: Told) -> bool:
    return any(event_names.matches(pattern, told.type) for pattern in row.of) and row.applies(told)


def moment(at: datetime) -> str:
    """With milliseconds: events of one object come quickly one after the other."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds")


# --- ours


def native(told: Told) -> Body:
    """Also what the feed shows."""
    return {
        "id": told.id,
        "type": told.type,
        "createdAt": moment(told.created_at),
        "projectId": told.project_id,
        "objectId": told.object_id,
        "sequence": told.sequence,
        "data": dict(told.payload),
    }


def _native_envelope(_name: str, told: Told, _fields: Body | None) -> Body:
    return native(told)


# --- api.video

# the tallest that a picture reaches names its quality, as in the status of a video
_HEIGHTS = ((2160, "2160p"), (1080, "1080p"), (720, "720p"), (480, "480p"), (360, "360p"), (0, "240p"))


def _quality(told: Told) -> str | None:
    width, height = told.payload.get("width"), told.payload.get("height")
    if not width or not height:
        return None
    return next(name for least, name in _HEIGHTS if min(width, height) >= least)


def _encoded(told: Told) -> Body:
    return {"encoding": "hls", "quality": _quality(told)}


def _apivideo_envelope(name: str, told: Told, fields: Body | None) -> Body:
    links = {key: told.payload[key] for key in ("videoId", "liveStreamId") if key in told.payload}
    more = {"data": dict(told.payload)} if fields is None else fields
    common = {"eventId": told.id, "sequence": told.sequence, "metadata": told.payload.get("metadata", [])}
    return {"type": name, "emittedAt": moment(told.created_at), **links, **more, **common}


_APIVIDEO = Format(
    {
        "live-stream.broadcast.started": Name(["live-stream.broadcasting"]),
        "live-stream.broadcast.ended": Name(["live-stream.ended"]),
        "video.source.recorded": Name(["live-stream.recorded"]),
        "video.encoding.quality.completed": Name(
            ["video.rendition.ready"], _encoded, lambda told: _quality(told) is not None
        ),
        # nothing makes captions or summaries by itself: these can be asked for, and are not told
        "video.caption.generated": Name([]),
        "video.summary.generated": Name([]),
    },
    _apivideo_envelope,
)

# --- Kinescope

_STATES = ("created", "pending", "uploading", "pre-processing", "processing", "done", "error", "aborted")


def _status(told: Told) -> Body:
    state = told.type.removeprefix("video.")
    fields = {"status": "pending" if state == "created" else state}
    error = told.payload.get("error")
    if isinstance(error, Mapping) and error.get("detail"):
        fields["message"] = error["detail"]
    return fields


def _bare(object_id: str) -> str:
    """The UUID of an id of ours, which is how Kinescope names things; another word stays as it is."""
    for prefix in sorted(ids.PREFIXES.values(), key=len, reverse=True):
        if object_id.startswith(prefix):
            try:
                return str(ids.to_uuid(prefix, object_id))
            except ids.InvalidId:
                continue
    return object_id


def _kinescope_envelope(name: str, told: Told, fields: Body | None) -> Body:
    more = dict(told.payload) if fields is None else {**fields, "metadata": told.payload.get("metadata", [])}
    return {
        "event": name,
        "data": {**more, "id": _bare(told.object_id), "event_id": told.id, "sequence": told.sequence},
    }


_KINESCOPE = Format(
    {"media.update.status": Name([f"video.{state}" for state in _STATES], _status)}, _kinescope_envelope
)

# --- Cinema8


def _failure(told: Told) -> Body:
    error = told.payload.get("error")
    code = error.get("code") if isinstance(error, Mapping) else None
    return {"error": {"code": code or "failed", "message": error.get("detail") if isinstance(error, Mapping) else None}}


def _cinema8_envelope(name: str, told: Told, fields: Body | None) -> Body:
    more = {"data": dict(told.payload)} if fields is None else fields
    asset = told.payload.get("videoId") or told.payload.get("liveStreamId") or told.object_id
    links = {key: value for key, value in told.payload.items() if key.endswith("Id") or key == "metadata"}
    return {
        "event": name,
        "assetId": asset,
        "timestamp": moment(told.created_at),
        "eventId": told.id,
        "sequence": told.sequence,
        **links,
        **more,
    }


_CINEMA8 = Format(
    {
        "upload.complete": Name(["upload.uploaded"]),
        "upload.failed": Name(["upload.aborted", "upload.expired"]),
        "transcode.ready": Name(["video.done"]),
        "error.processing": Name(["video.error"], _failure),
        # told once players report what they play
        "playback.started": Name(["playback.started"]),
        "playback.ended": Name(["playback.ended"]),
    },
    _cinema8_envelope,
)

FORMATS: Mapping[str, Format] = {
    "native": Format({}, _native_envelope),
    "api.video": _APIVIDEO,
    "kinescope": _KINESCOPE,
    "cinema8": _CINEMA8,
}
