"""The setting of a live stream's renditions: one of two words, or a list."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field
from pydantic import Tag as Choice
from pydantic_core import PydanticCustomError

from server.media.ladder import MAX_BITRATE, MAX_LINES, MAX_RATE, MAX_RUNGS, MIN_BITRATE, MIN_LINES
from server.web.shapes import Answer, Body
from server.web.validation import LIST, WORD

MAX_COLUMNS = 2 * MAX_LINES


class RenditionBody(Body):
    """A lower rendition. One that is more than the source has is left out, and so are its other limits."""

    height: Annotated[
        int,
        Field(
            ge=MIN_LINES, le=MAX_LINES, multiple_of=2, description="Lines; of an upright picture, what it has across."
        ),
    ]
    width: Annotated[
        int | None, Field(ge=MIN_LINES, le=MAX_COLUMNS, multiple_of=2, description="By default as the source's shape.")
    ] = None
    video_bitrate: Annotated[
        int | None, Field(ge=MIN_BITRATE, le=MAX_BITRATE, description="Bits a second at most; by default as usual.")
    ] = None
    fps: Annotated[
        float | None, Field(ge=1, le=MAX_RATE, description="Pictures a second at most: a whole part of the source's.")
    ] = None


class Rendition(Answer):
    height: int
    width: int | None = None
    video_bitrate: int | None = None
    fps: float | None = None


def _different(items: list[RenditionBody]) -> list[RenditionBody]:
    if len({item.height for item in items}) != len(items):
        raise PydanticCustomError("same_height", "Each rendition should have a height of its own.")
    return items


RenditionList = Annotated[list[RenditionBody], Field(min_length=1, max_length=MAX_RUNGS), AfterValidator(_different)]


def _which(value: Any) -> str | None:
    return WORD if isinstance(value, str) else LIST if isinstance(value, list) else None


RenditionsChoice = Annotated[
    Annotated[Literal["passthrough", "ladder"], Choice(WORD)] | Annotated[RenditionList, Choice(LIST)],
    Discriminator(
        _which,
        custom_error_type="renditions",
        custom_error_message="This attribute must be passthrough, ladder, or an array of renditions.",
    ),
]


def renditions(column: Any) -> Literal["passthrough", "ladder"] | list[Rendition]:
    """As it is shown."""
    if isinstance(column, list):
        return [Rendition.model_validate(item) for item in column]
    return "ladder" if column == "ladder" else "passthrough"


def renditions_column(value: str | list[RenditionBody]) -> str | list[dict[str, Any]]:
    """As it is kept."""
    if isinstance(value, str):
        return value
    return [item.model_dump(by_alias=True, exclude_none=True) for item in value]
