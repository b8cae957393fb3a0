"""Jobs that failed and are run again, through a real server: the video becomes whole."""

from pathlib import Path

import pytest

from tests.harness import media
from tests.harness.server import Server, until
from tests.harness.uploads import ended, post_source

pytestmark = pytest.mark.server


def test_one_job_that_is_run_again_mends_a_video(tmp_path: Path) -> None:
    """Its two shares were lost; both are made, of them the one that nobody asked for, and as the first seconds were:
    the settings of encoders, which have changed since, are those of what comes now. While the disk is full they
    wait."""
    environment = {
        "SLUICE_VOD__RENDITIONS": "ladder", "SLUICE_VOD__CHUNK_S": "4", "SLUICE_VOD__PER_TITLE": "false",
        "SLUICE_JOBS__CONCURRENCY": "0",
    }  # fmt: skip
    server = Server(tmp_path / "data", environment).start()
    try:
        id = post_source(server, media.clip(15, size="426x240", gop_s=1))["videoId"]
        shares = until(lambda: [job for job in jobs(server, id) if job["kind"] == "encode"], 120)
        assert len(shares) == 2
        for job in shares:
            server.api("POST", f"/jobs/{job['jobId']}/cancel")
        assert ended(server, id)["state"] == "done"
        assert "240p" not in server.get(f"/vod/{id}/dash/manifest.mpd").text
        server.stop()

        server.environment["SLUICE_JOBS__CONCURRENCY"] = "2"
        server.environment |= {"SLUICE_VOD__PRESET": "ultrafast", "SLUICE_VOD__QUALITY": "31"}
        server.environment["SLUICE_STORAGE__RESERVE_BYTES"] = str(1 << 60)
        server.start()
        redrive = f"/jobs/{shares[0]['jobId']}/redrive"
        # The job of the first seconds, if it was cut off, has to see that the video has ended: 409 until then.
        until(lambda: server.call("POST", redrive).status == 200, 60)
        until(lambda: "room" in (server.api("GET", f"/jobs/{shares[0]['jobId']}")["message"] or ""), 120)
        assert server.api("GET", f"/videos/{id}")["state"] == "processing"
        server.stop()

        del server.environment["SLUICE_STORAGE__RESERVE_BYTES"]
        server.start()
        assert ended(server, id)["state"] == "done"
        assert len(media.frame_hashes(f"{server.http}/vod/{id}/hls/r1/240p/media.m3u8")) == 450
        refused = server.call("POST", f"/jobs/{shares[1]['jobId']}/redrive")
        assert (refused.status, refused.json()["detail"]) == (409, "All that it is to make is there.")
    finally:
        server.stop()


def jobs(server: Server, video_id: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = server.api("GET", f"/jobs?objectId={video_id}")["data"]
    return found
