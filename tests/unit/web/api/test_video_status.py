"""The dialect's status words, derived from the rows."""

from datetime import timedelta
from typing import Any, get_args

import pytest

from server import clock
from server.catalog import uploads
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Upload, Video
from server.catalog.videos import TRANSITIONS
from server.web.api import video_status
from server.web.api.video_status import HEIGHTS, WORDS, EncodingStatus, IngestStatus, QualityName, status
from tests.unit.web.kit import Client, Make

PROBED = {
    "container": "mp4",
    "duration_s": 61.5,
    "bit_rate": 411_218,
    "streams": [
        {"kind": "video", "codec": "h264", "width": 1920, "height": 1080, "frame_rate": 29.97, "rotation": 0},
        {"kind": "audio", "codec": "aac", "sample_rate": 48000, "channels": 2},
    ],
}
RECORDED = {
    "container": "broadcast",
    "streams": [
        {"kind": "video", "codec": "avc1.64001f", "width": 640, "height": 360, "frame_rate": 30.0},
        {"kind": "audio", "codec": "mp4a.40.2", "sample_rate": 44100, "channels": 2},
    ],
}


def row(**fields: Any) -> Video:
    return Video(**{"id": "vi1", "state": "pending", "playable": False, "mp4_support": True, **fields})


def upload(**fields: Any) -> Upload:
    return Upload(**{"id": "up1", "received": 0, "length": None, "parts": None, **fields})


def told(video: Video, its_upload: Upload | None = None) -> dict[str, Any]:
    return status(video, its_upload).model_dump()


def test_every_state_has_its_words() -> None:
    assert set(WORDS) == set(TRANSITIONS)
    for ingest, encoding in WORDS.values():
        assert ingest in get_args(IngestStatus)
        assert encoding in get_args(EncodingStatus)


@pytest.mark.parametrize("state", WORDS)
def test_ingest_words(state: str) -> None:
    assert told(row(state=state))["ingest"]["status"] == WORDS[state][0]


def test_before_any_byte() -> None:
    assert told(row()) == {
        "ingest": {
            "status": "uploading",
            "filesize": None,
            "receivedBytes": [],
            "receivedParts": {"parts": [], "total": None},
        },
        "encoding": {
            "playable": False,
            "qualities": [],
            "metadata": {
                "width": None, "height": None, "bitrate": None, "duration": None, "framerate": None,
                "samplerate": None, "videoCodec": None, "audioCodec": None, "aspectRatio": None,
            },
        },
    }  # fmt: skip


def test_while_it_is_uploaded_over_tus() -> None:
    ingest = told(row(state="uploading"), upload(received=1000, length=5000))["ingest"]

    assert ingest["filesize"] == 5000
    assert ingest["receivedBytes"] == [{"from": 0, "to": 999, "total": 5000}]


def test_while_it_is_uploaded_in_parts() -> None:
    parts = {"unit": "part", "total": 12, "received": {"10": 5, "2": 5, "1": 5}}
    ingest = told(row(state="uploading"), upload(received=15, parts=parts))["ingest"]

    assert ingest["receivedParts"] == {"parts": [1, 2, 10], "total": 12}
    assert ingest["receivedBytes"] == []


def test_while_it_is_uploaded_in_ranges_of_bytes() -> None:
    parts = {"unit": "bytes", "total": 30, "received": {"20": 10, "0": 10}}
    ingest = told(row(state="uploading"), upload(received=20, parts=parts))["ingest"]

    assert ingest["receivedBytes"] == [{"from": 0, "to": 9, "total": 30}, {"from": 20, "to": 29, "total": 30}]
    assert ingest["receivedParts"] == {"parts": [], "total": None}


def test_what_was_found_in_a_file() -> None:
    video = row(state="done", playable=True, media=PROBED, duration_s=61.5, source="upload", source_bytes=7)
    found = told(video)

    assert found["ingest"]["filesize"] == 7
    assert found["encoding"]["playable"] is True
    assert found["encoding"]["qualities"] == [
        {"type": "hls", "quality": "1080p", "status": "encoded"},
        {"type": "mp4", "quality": "1080p", "status": "encoded"},
    ]
    assert found["encoding"]["metadata"] == {
        "width": 1920,
        "height": 1080,
        "bitrate": 411.218,
        "duration": 62,
        "framerate": 30,
        "samplerate": 48000,
        "videoCodec": "h264",
        "audioCodec": "aac",
        "aspectRatio": "16/9",
    }


def test_what_was_recorded() -> None:
    found = told(row(state="done", playable=True, media=RECORDED, source="live"))["encoding"]

    assert found["qualities"] == [
        {"type": "hls", "quality": "360p", "status": "encoded"},
        {"type": "mp4", "quality": "360p", "status": "encoded"},
    ]
    assert (found["metadata"]["videoCodec"], found["metadata"]["audioCodec"]) == ("h264", "aac")
    assert (found["metadata"]["framerate"], found["metadata"]["samplerate"]) == (30, 44100)


def test_sound_alone_has_no_quality() -> None:
    media = {"streams": [PROBED["streams"][1]]}  # type: ignore[index]

    assert told(row(state="done", media=media))["encoding"]["qualities"] == []


@pytest.mark.parametrize(
    ("height", "name"),
    [(4320, "2160p"), (2160, "2160p"), (1440, "1080p"), (1080, "1080p"), (719, "480p"), (360, "360p"), (144, "240p")],
)
def test_qualities_are_of_the_closed_set(height: int, name: str) -> None:
    media = {"streams": [{"kind": "video", "codec": "h264", "width": 16, "height": height}]}

    assert told(row(state="done", media=media))["encoding"]["qualities"][0]["quality"] == name
    assert {each for _, each in HEIGHTS} == set(get_args(QualityName))


async def test_over_rest(client: Client, make_video: Make, database: Database) -> None:
    id = await make_video(state="uploading")
    async with database.write() as transaction:
        made = Upload(
            project_id=DEFAULT_PROJECT, video_id=id, protocol="tus", length=10, received=4,
            expires_at=clock.now() + timedelta(hours=1),
        )  # fmt: skip
        await uploads.add(transaction, made)
    async with client.get(f"/videos/{id}/status") as response:
        assert response.status == 200
        answer = await response.json()

    assert answer["ingest"]["receivedBytes"] == [{"from": 0, "to": 3, "total": 10}]
    assert answer["encoding"]["playable"] is False


@pytest.mark.parametrize(
    ("codec", "name"),
    [("avc1.64001f", "h264"), ("hvc1.1.6.L93.90", "hevc"), ("av01.0.05M.08", "av1"), ("Opus", "opus"), ("ac-3", "ac3"),
     ("vp9", "vp9"), ("prores", "prores")],
)  # fmt: skip
def test_codecs_are_named_as_the_dialect_does(codec: str, name: str) -> None:
    assert video_status._codec({"codec": codec}) == name
