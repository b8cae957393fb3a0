"""A lane that fails is told of, and nobody waits for it."""

import av
import pytest

from server.media.encoders import Coded, Settings
from server.media.ladder import Rung
from server.media.lanes import DEPTH, Lane
from server.media.transcoding import SOFTWARE

PICTURES = DEPTH + 4  # more than may wait


@pytest.mark.parametrize("fault", [KeyError("rendition"), ValueError("nothing")])
def test_whatever_ends_its_thread_is_a_failure(fault: Exception) -> None:
    failures: list[str] = []

    def came(coded: Coded) -> None:
        raise fault

    rung = Rung("90p", 160, 90, (1, 1), 100_000, 1, 25.0)
    settings = Settings(90_000, 0, "ultrafast", "23", b_frames=0, threads=1)
    lane = Lane(rung, SOFTWARE, settings, 0, lambda record: None, came, failures.append)
    for number in range(PICTURES):
        frame = av.VideoFrame(160, 90, "yuv420p")
        frame.pts = number * 3600
        lane.put(frame, number == 0, rung.bitrate)
    lane.finish()
    assert not lane.active
    assert len(failures) == 1
