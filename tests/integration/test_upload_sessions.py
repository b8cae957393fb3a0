"""Upload sessions through a real server: a page's own uploader with nothing but the URL, and limits of media."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import media
from tests.harness.server import Server, until

CLIENTS = Path(__file__).parents[1] / "clients"

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "a.mp4"
    media.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=3", "-c:v", "libx264", "-pix_fmt", "yuv420p",
        "-preset", "ultrafast", "-movflags", "+faststart", path,
    )  # fmt: skip
    return path


def ended(server: Server, session: dict[str, Any]) -> dict[str, Any]:
    """The session when its file has been looked at."""
    path = f"/upload-sessions/{session['uploadSessionId']}"
    until(lambda: server.api("GET", path)["state"] in ("done", "failed"), 120)
    found: dict[str, Any] = server.api("GET", path)
    return found


def test_tus_js_client_with_the_url_alone(server: Server, film: Path) -> None:
    session = server.api("POST", "/upload-sessions", {"maxDuration": 10, "types": ["video/mp4"], "title": "T"})
    options = {"metadata": {"filename": "a.mp4", "filetype": "video/mp4"}, "chunkSize": 20_000}
    done = subprocess.run(
        ["node", str(CLIENTS / "tus_upload.mjs"), session["url"], str(film), json.dumps(options)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr[-2000:]
    printed = json.loads(done.stdout.splitlines()[-1])
    assert "error" not in printed, printed
    found = ended(server, session)
    video = server.api("GET", f"/videos/{found['videoId']}")

    assert (found["state"], found["error"], video["title"]) == ("done", None, "T")
    assert (server.data / "videos" / found["videoId"] / "source").read_bytes() == film.read_bytes()
    assert session["url"].rpartition("/")[2] not in server.log()


@pytest.mark.parametrize(
    ("limits", "code"), [({"maxDuration": 2}, "too-long"), ({"types": ["video/webm"]}, "other-type")]
)
def test_what_breaks_the_limits_is_never_shown(server: Server, film: Path, limits: Any, code: str) -> None:
    session = server.api("POST", "/upload-sessions", limits)
    path = session["url"].removeprefix(server.http)
    sent = server.call("PUT", path, film.read_bytes(), key=None, headers={"Content-Type": "video/webm"})
    assert sent.status == 201, sent.text
    found = ended(server, session)
    told = server.api("GET", f"/events?objectId={found['videoId']}")["data"]

    assert (found["state"], found["error"]["code"]) == ("failed", code)
    assert "video.playable" not in [event["type"] for event in told]
