"""`clip` of a new video, as the dialect has it: timecodes of what is left of its file."""

import re
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from server.web.shapes import Body

# 00:01:15, 00:01:15.5, or seconds; what follows a third colon are hundredths
PATTERN = r"^(?:\d{2,3}:[0-5]\d:[0-5]\d(?:\.\d{1,3}|:\d{1,2})?|\d{1,7})$"
LEAST_S = 0.1
_TIMECODE = re.compile(r"(\d{2,3}):(\d\d):(\d\d)(?:\.(\d{1,3})|:(\d{1,2}))?", re.ASCII)

Timecode = Annotated[str, Field(pattern=PATTERN, examples=["00:01:15"])]


class ClipTimes(Body):
    start_timecode: Timecode = "00:00:00"
    end_timecode: Timecode | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        end = self.end_timecode
        if end is not None and seconds(end) < seconds(self.start_timecode) + LEAST_S:
            raise PydanticCustomError("clip", "The end must lie after the start.")
        return self

    def column(self) -> dict[str, Any]:
        """Of the video's row."""
        return {"start": seconds(self.start_timecode), "end": self.end_timecode and seconds(self.end_timecode)}


def seconds(timecode: str) -> float:
    """Of a text that fits PATTERN."""
    found = _TIMECODE.fullmatch(timecode)
    if found is None:
        return float(timecode)
    hours, minutes, whole, part, hundredths = found.groups()
    fraction = float(f"0.{part}") if part else int(hundredths or 0) / 100
    return int(hours) * 3600 + int(minutes) * 60 + int(whole) + fraction
