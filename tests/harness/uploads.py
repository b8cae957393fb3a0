"""Uploads as curl and the tus clients make them."""

import subprocess
from pathlib import Path
from typing import Any

from tests.harness.server import OWNER_KEY, Server, until

ENDED = ("done", "error")


def post_source(server: Server, path: Path, **fields: Any) -> dict[str, Any]:
    """A new video with its file sent by curl in one request; the video."""
    made: dict[str, Any] = server.api("POST", "/videos", {"title": path.name, **fields})
    send_source(server, made["videoId"], path)
    return made


def send_source(server: Server, video_id: str, path: Path) -> None:
    sent = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-u", f"{OWNER_KEY}:", "-F", f"file=@{path}",
         f"{server.http}/videos/{video_id}/source"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert sent.returncode == 0, sent.stdout + sent.stderr


def ended(server: Server, video_id: str, timeout_s: float = 150) -> dict[str, Any]:
    """The video once it is done or has failed. Encoders give way to all that runs beside them: tests, too."""

    def look() -> dict[str, Any] | None:
        video: dict[str, Any] = server.api("GET", f"/videos/{video_id}")
        return video if video["state"] in ENDED else None

    try:
        found: dict[str, Any] = until(look, timeout_s)
    except AssertionError:
        jobs = server.api("GET", f"/jobs?objectId={video_id}&pageSize=100")["data"]
        left = [job for job in jobs if job["state"] != "done"]
        raise AssertionError(f"{video_id} has not ended within {timeout_s} s; jobs that are left: {left}") from None
    return found
