import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from server import ids
from server.catalog import event_names
from server.webhooks.formats import FORMATS, Told, is_name, message

VIDEO = ids.new("vi")
LIVE = ids.new("li")
AT = datetime(2026, 1, 31, 10, 17, 47, 217_000, tzinfo=UTC)
EMITTED = "2026-01-31T10:17:47.217+00:00"
NOTED = [{"key": "order", "value": "7"}]


def told(type: str, object_id: str = VIDEO, **payload: Any) -> Told:
    return Told("ev1", type, "pr1", object_id, 3, AT, payload)


RENDITION = told(
    "video.rendition.ready", videoId=VIDEO, rendition="720p", kind="video", width=1280, height=720, metadata=NOTED
)


def test_our_own_format_says_it_all() -> None:
    found = message("native", ["video.*"], RENDITION)

    assert found is not None
    assert found.body == {
        "id": "ev1",
        "type": "video.rendition.ready",
        "createdAt": EMITTED,
        "projectId": "pr1",
        "objectId": VIDEO,
        "sequence": 3,
        "data": dict(RENDITION.payload),
    }


def apivideo(type: str, **more: Any) -> dict[str, Any]:
    return {"type": type, "emittedAt": EMITTED, "eventId": "ev1", "sequence": 3, "metadata": [], **more}


@pytest.mark.parametrize(
    ("event", "body"),
    [
        (
            RENDITION,
            apivideo("video.encoding.quality.completed", videoId=VIDEO, encoding="hls", quality="720p", metadata=NOTED),
        ),
        (
            told("live-stream.broadcasting", LIVE, liveStreamId=LIVE, broadcastId="br1"),
            apivideo("live-stream.broadcast.started", liveStreamId=LIVE),
        ),
        (
            told("live-stream.ended", LIVE, liveStreamId=LIVE, broadcastId="br1"),
            apivideo("live-stream.broadcast.ended", liveStreamId=LIVE),
        ),
        (
            told("live-stream.recorded", LIVE, liveStreamId=LIVE, videoId=VIDEO),
            apivideo("video.source.recorded", liveStreamId=LIVE, videoId=VIDEO),
        ),
        (  # one that api.video does not have goes by our name
            told("video.error", videoId=VIDEO, error={"code": "invalid"}),
            apivideo("video.error", videoId=VIDEO, data={"videoId": VIDEO, "error": {"code": "invalid"}}),
        ),
    ],
)
def test_api_video(event: Told, body: dict[str, Any]) -> None:
    found = message("api.video", ["*"], event)
    assert found is not None
    assert (found.name, found.body) == (body["type"], body)


@pytest.mark.parametrize(
    ("width", "height", "quality"),
    [(3840, 2160, "2160p"), (1080, 1920, "1080p"), (1280, 720, "720p"), (640, 359, "240p"), (854, 480, "480p")],
)
def test_the_smaller_side_names_the_quality(width: int, height: int, quality: str) -> None:
    found = message("api.video", ["*"], told("video.rendition.ready", width=width, height=height))
    assert found is not None
    assert found.body["quality"] == quality


def test_sound_is_no_quality() -> None:
    event = told("video.rendition.ready", videoId=VIDEO, rendition="audio", kind="audio")
    assert message("api.video", ["video.encoding.quality.completed"], event) is None


@pytest.mark.parametrize(
    ("type", "payload", "data"),
    [
        ("video.created", {}, {"status": "pending"}),
        ("video.processing", {"state": "processing"}, {"status": "processing"}),
        ("video.done", {"metadata": NOTED}, {"status": "done", "metadata": NOTED}),
        ("video.error", {"error": {"code": "x", "detail": "why"}}, {"status": "error", "message": "why"}),
    ],
)
def test_kinescope(type: str, payload: dict[str, Any], data: dict[str, Any]) -> None:
    found = message("kinescope", ["media.update.status"], told(type, **payload))

    assert found is not None
    common = {"id": str(ids.to_uuid("vi", VIDEO)), "event_id": "ev1", "sequence": 3, "metadata": []}
    assert found.body == {"event": "media.update.status", "data": {**common, **data}}
    assert str(uuid.UUID(found.body["data"]["id"])) == found.body["data"]["id"]


def test_kinescope_is_not_told_what_is_no_status() -> None:
    assert message("kinescope", ["media.update.status"], told("video.playable")) is None


@pytest.mark.parametrize(
    ("event", "name", "more"),
    [
        (told("upload.uploaded", "up1", uploadId="up1", videoId=VIDEO), "upload.complete", {"uploadId": "up1"}),
        (told("upload.expired", "up1", uploadId="up1", videoId=VIDEO), "upload.failed", {"uploadId": "up1"}),
        (told("video.done", videoId=VIDEO), "transcode.ready", {}),
        (
            told("video.error", videoId=VIDEO, error={"code": "invalid", "detail": "why"}),
            "error.processing",
            {"error": {"code": "invalid", "message": "why"}},
        ),
        (told("video.error", videoId=VIDEO), "error.processing", {"error": {"code": "failed", "message": None}}),
    ],
)
def test_cinema8(event: Told, name: str, more: dict[str, Any]) -> None:
    found = message("cinema8", [name], event)

    assert found is not None
    common = {"assetId": VIDEO, "timestamp": EMITTED, "eventId": "ev1", "sequence": 3, "videoId": VIDEO}
    assert found.body == {"event": name, **common, **more}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", [*event_names.NAMES, "video.version.done"])
def test_every_event_can_be_had_in_every_format(format: str, name: str) -> None:
    event = told(name, videoId=VIDEO, liveStreamId=LIVE)
    found = message(format, [name], event)

    assert found is not None
    assert found.name == name
    assert name in (found.body.get("type"), found.body.get("event"))
    assert is_name(format, name)


@pytest.mark.parametrize(
    ("wanted", "type", "is_told"),
    [
        (["video.*"], "video.version.done", True),
        (["video.*"], "live-stream.ended", False),
        (["*.created"], "video.captions.created", True),
        (["video.done"], "video.done", True),
        (["video.don"], "video.done", False),
        ([], "video.done", False),
        (["webhook.created"], "webhook.ping", True),  # whoever is tried hears of it
    ],
)
def test_what_is_asked_for_is_told(wanted: list[str], type: str, is_told: bool) -> None:
    assert (message("native", wanted, told(type)) is not None) == is_told


@pytest.mark.parametrize(
    ("format", "name", "is_one"),
    [
        ("native", "video.*", True),
        ("native", "*", True),
        ("native", "vidoe.*", False),
        ("native", "media.update.status", False),
        ("kinescope", "media.update.status", True),
        ("api.video", "video.caption.generated", True),
        ("cinema8", "playback.started", True),
        ("api.video", "transcode.ready", False),
        ("native", "video.[cd]*", False),
    ],
)
def test_names_that_can_be_asked_for(format: str, name: str, is_one: bool) -> None:
    assert is_name(format, name) == is_one
