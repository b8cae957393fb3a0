"""Which pictures of a video would do for its poster: neither black nor blurred. Runs in children only.

The measure is what is in the picture (contrast) and how sharp it is (the differences of neighbouring points), on a
small grey copy.
"""

from collections.abc import Sequence
from typing import NamedTuple

from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.media.pictures import DecodeError, contrast, sharpness
from server.media.stills import Stills

MOST = 5
# Contrast beyond this adds nothing: a chess board is no better than a face.
ENOUGH_CONTRAST = 48.0
ENOUGH_SHARPNESS = 12.0


class Candidate(NamedTuple):
    at_s: float
    score: float  # 0 to 1


def best(source: Stills, times: Sequence[float]) -> list[Candidate]:
    """The best of the key frames nearest to `times`, best first. Raises DecodeError when there are none."""
    found: dict[float, Candidate] = {}
    for wanted in times:
        try:
            at_s, frame = source.key(wanted)
        except (DecodeError, FFmpegError):
            continue
        found[at_s] = Candidate(round(max(0.0, at_s), 3), round(score(frame), 3))
    if not found:
        raise DecodeError("none of its key frames can be decoded")
    return sorted(found.values(), key=lambda one: one.score, reverse=True)[:MOST]


def score(frame: VideoFrame) -> float:
    """0: flat; 1: full of contrast, and sharp."""
    seen = min(1.0, contrast(frame) / ENOUGH_CONTRAST)
    sharp = min(1.0, sharpness(frame) / ENOUGH_SHARPNESS)
    return float((seen * sharp) ** 0.5)
