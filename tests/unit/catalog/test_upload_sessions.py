"""Where an upload session stands, by its own state and those of its upload and video."""

from datetime import timedelta

import pytest

from server import clock
from server.catalog.models import Upload, Video
from server.catalog.upload_models import UploadSession
from server.catalog.upload_sessions import Status, _status

ERROR = {"code": "too-long"}


@pytest.mark.parametrize(
    ("state", "upload", "video", "expected"),
    [
        ("waiting", None, None, "waiting"),
        ("expired", None, None, "expired"),
        ("used", "uploading", "uploading", "uploading"),
        ("used", "uploaded", "pending", "uploading"),  # the upload is over, and the video does not have it yet
        ("used", "uploaded", "pre-processing", "uploading"),
        ("used", "uploaded", "processing", "done"),
        ("used", "uploaded", "done", "done"),
        ("used", "uploaded", "error", "failed"),
        ("used", "aborted", "pending", "waiting"),
        ("used", None, None, "done"),
    ],
)
def test_status(state: str, upload: str | None, video: str | None, expected: str) -> None:
    now = clock.now()
    row = UploadSession(state=state, expires_at=now + timedelta(hours=1))
    sent = None if upload is None else Upload(state=upload)
    made = None if video is None else Video(state=video, error=ERROR if video == "error" else None)

    found = _status(row, sent, made, now)

    assert found == Status(expected, ERROR if expected == "failed" else None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("playable", "expected"), [(False, "uploading"), (True, "done")])
def test_terms_of_media_are_held_before_a_file_can_be_watched(playable: bool, expected: str) -> None:
    row = UploadSession(state="used", expires_at=clock.now(), max_duration_s=2.0, types=[])

    found = _status(row, Upload(state="uploaded"), Video(state="processing", playable=playable), clock.now())

    assert found.state == expected
