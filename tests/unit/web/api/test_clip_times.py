"""Timecodes of a clip, as the dialect has them."""

import pytest
from pydantic import ValidationError

from server.web.api.clip_times import ClipTimes, seconds


@pytest.mark.parametrize(
    ("timecode", "found"),
    [("00:01:15", 75.0), ("100:00:00", 360_000.0), ("00:00:01.5", 1.5), ("00:00:01.050", 1.05), ("00:00:01:50", 1.5),
     ("90", 90.0)],
)  # fmt: skip
def test_seconds(timecode: str, found: float) -> None:
    assert seconds(timecode) == found


def test_columns() -> None:
    told = ClipTimes.model_validate({"startTimecode": "00:00:04", "endTimecode": "00:00:06.5"})
    assert told.column() == {"start": 4.0, "end": 6.5}
    assert ClipTimes.model_validate({}).column() == {"start": 0.0, "end": None}


@pytest.mark.parametrize(
    "wrong",
    [{"startTimecode": "1:2:3"}, {"endTimecode": "00:61:00"}, {"startTimecode": "00:00:05", "endTimecode": "00:00:05"}],
)
def test_what_is_no_clip(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ClipTimes.model_validate(wrong)
