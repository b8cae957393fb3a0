"""What the query of an image's URL may say: time, size and shape, in Mux's words where it has some."""

import re
from typing import Annotated, TypeVar

from aiohttp import web
from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from server.media.fitting import FITS, MAX_SIDE, MIN_SIDE, Box
from server.web import validation
from server.web.query import MalformedQuery, nested
from server.web.shapes import WHOLE, Query

ANIMATED_SIDE = 640
ANIMATED_S = 10.0
ANIMATED_DEFAULT_S = 5.0
ANIMATED_FPS, DEFAULT_FPS = 30, 15

_SECONDS = re.compile(r"\d{1,7}(\.\d{1,9})?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d(?:\.\d{1,9})?)", re.ASCII)

Q = TypeVar("Q", bound=Query)


def seconds(text: object) -> float | None:
    """12, 12.5, 1:02 or 00:01:02.5 as seconds; None for anything else."""
    if not isinstance(text, str):
        return None
    if _SECONDS.fullmatch(text):
        return float(text)
    found = _CLOCK.fullmatch(text)
    return int(found[1] or 0) * 3600 + int(found[2]) * 60 + float(found[3]) if found else None


def _time(text: object) -> float:
    found = seconds(text)
    if found is None:
        raise PydanticCustomError("time", "This attribute must be a time such as 12.5 or 00:15:22.")
    return found


def _fit(text: object) -> str:
    if not isinstance(text, str) or text not in FITS:
        raise PydanticCustomError("fit", "This attribute must be preserve, stretch, crop or pad.")
    return FITS[text]


Time = Annotated[float, BeforeValidator(_time)]
Side = Annotated[int | None, Field(ge=MIN_SIDE, le=MAX_SIDE), WHOLE]
SmallSide = Annotated[int | None, Field(ge=MIN_SIDE, le=ANIMATED_SIDE), WHOLE]
Fitting = Annotated[str, BeforeValidator(_fit), Field(validation_alias=AliasChoices("fit", "fit_mode"))]


class Versioned(Query):
    v: str | None = None  # the revision that a URL of ours is of: that it never changes


class ThumbnailQuery(Versioned):
    time: Time | None = None
    width: Side = None
    height: Side = None
    fit: Fitting = "preserve"
    exact: bool = False

    @property
    def box(self) -> Box:
        return Box(self.width, self.height, FITS[self.fit])

    @property
    def plain(self) -> bool:
        """Whether nothing is asked for but the poster as it is."""
        return self.time is None and self.width is None and self.height is None


class AnimatedQuery(Versioned):
    start: Time = 0.0
    end: Time | None = None
    width: SmallSide = None
    height: SmallSide = None
    fit: Fitting = "preserve"
    fps: Annotated[int, Field(ge=1, le=ANIMATED_FPS), WHOLE] = DEFAULT_FPS

    @model_validator(mode="after")
    def _in_order(self) -> "AnimatedQuery":
        if self.end is not None and not 0 < self.end - self.start <= ANIMATED_S:
            raise PydanticCustomError("span", f"end must be after start, by at most {ANIMATED_S:g} seconds.")
        return self

    @property
    def box(self) -> Box:
        return Box(self.width or (None if self.height else ANIMATED_SIDE), self.height, FITS[self.fit])


def parsed(request: web.Request, model: type[Q]) -> Q:
    """Raises Problem, which names the parameter."""
    try:
        return model.model_validate(nested(request.query.items()))
    except MalformedQuery as error:
        raise validation.of_parameter(error.name[: validation.NAME_LIMIT], error.sentence) from None
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if faults[0]["type"] == "span":
            raise validation.of_parameter("end", faults[0]["msg"]) from None
        raise validation.of_query(error) from None
