"""Where decoding begins in a file that can't be sought in."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from server.media import joined


@dataclass
class FakePacket:
    pts: int | None
    is_keyframe: bool = False


# two groups: the key frame at 30 is led by pictures at 10 and 20 that come after it
PACKETS = [(0, True), (5, False), (30, True), (10, False), (20, False), (40, False), (60, True), (50, False)]


@pytest.mark.parametrize(
    ("moment", "first"), [(0, 0), (3, 0), (29, 0), (30, 30), (35, 30), (59, 30), (60, 60), (99, 60)]
)
def test_from_the_key_frame_that_leads_to_the_picture_on_show(moment: int, first: int) -> None:
    packets = [FakePacket(*each) for each in PACKETS]
    found = [packet.pts for packet in joined.since(cast(Any, iter(packets)), moment)]
    times = [pts for pts, _ in PACKETS]
    assert found == times[times.index(first) :]


def test_no_more_is_held_than_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "MAX_HELD", 3)
    packets = [FakePacket(number, number == 0) for number in range(10)]
    assert [packet.pts for packet in joined.since(cast(Any, iter(packets)), 8)] == list(range(10))
