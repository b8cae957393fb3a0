"""Waiting for a video until it is done, or will never be."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.client.api import Api, Unreachable, at

POLL_S = 1.0
POLL_TRIES = 30  # in a row, of a server that may be restarting
ENDED = frozenset({"done", "error", "aborted"})


@dataclass(frozen=True, slots=True)
class Sight:
    """How far a video is. `share` is of its upload while that goes on, then of the work that was ordered for it."""

    video: dict[str, Any]
    share: float
    jobs: list[dict[str, Any]]

    @property
    def ended(self) -> bool:
        return self.video["state"] in ENDED


def watch(api: Api, video_id: str, seen: Callable[[Sight], None]) -> Sight:
    """Until it has ended. Raises Refused, Unreachable."""
    misses = 0
    while True:
        try:
            sight, misses = look(api, video_id), 0
        except Unreachable:
            misses += 1
            if misses == POLL_TRIES:
                raise
        else:
            seen(sight)
            if sight.ended:
                return sight
        time.sleep(POLL_S)


def look(api: Api, video_id: str) -> Sight:
    """Raises Refused, Unreachable."""
    video = api.call("GET", at("videos", video_id))
    if video["state"] in ("pending", "uploading"):
        return Sight(video, _uploaded(api.call("GET", at("videos", video_id, "status"))["ingest"]), [])
    jobs = list(api.every("/jobs", {"objectId": video_id}))
    return Sight(video, 1.0 if video["state"] == "done" else _made(jobs), jobs)


def _uploaded(ingest: dict[str, Any]) -> float:
    whole = ingest["filesize"] or 0
    come = sum(one["to"] - one["from"] + 1 for one in ingest["receivedBytes"])
    return min(1.0, come / whole) if whole else 0.0


def _made(jobs: list[dict[str, Any]]) -> float:
    """Jobs that order others are short, so they are left out once those are there."""
    counted = [job for job in jobs if job["kind"] != "vod"] or jobs
    return sum(1.0 if job["state"] == "done" else job["progress"] for job in counted) / len(counted) if counted else 0.0
