"""What a new video's pictures are to be shown as: cropped, with a watermark."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from server import ids
from server.catalog.models import Video
from server.media import lengths
from server.media.lengths import LENGTH
from server.media.watermarks import INITIAL
from server.web.shapes import Answer, Body

_OPACITY = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,3})?)%", re.ASCII)
_PATTERN = LENGTH.pattern
WHOLE = 100.0  # per cent


def _length(text: str) -> str:
    if not LENGTH.fullmatch(text):
        raise PydanticCustomError("length", "This attribute must be a length such as 20px or 5%.")
    return text


def _length_or_initial(text: str) -> str:
    if text != INITIAL and not LENGTH.fullmatch(text):
        raise PydanticCustomError("length", "This attribute must be a length such as 20px or 5%, or initial.")
    return text


def _opacity(text: str) -> str:
    found = _OPACITY.fullmatch(text)
    if found is None or float(found[1]) > WHOLE:
        raise PydanticCustomError("opacity", "This attribute must be a share from 0% to 100%.")
    return text


def _watermark_id(text: str) -> str:
    try:
        return ids.canonical("watermark_", text)
    except ids.InvalidId:
        raise PydanticCustomError("watermark", "There is no such watermark.") from None


Length = Annotated[str, AfterValidator(_length), Field(json_schema_extra={"pattern": f"^{_PATTERN}$"})]
OwnLength = Annotated[
    str, AfterValidator(_length_or_initial), Field(json_schema_extra={"pattern": f"^({_PATTERN}|{INITIAL})$"})
]


class WatermarkBody(Body):
    """Distances are from the borders of the picture; pixels are the source's. `left` goes before `right`, `top` before
    `bottom`; with neither the image is in that corner."""

    id: Annotated[str, AfterValidator(_watermark_id), Field(description="Of a watermark.")]
    top: OwnLength | None = None
    left: OwnLength | None = None
    bottom: OwnLength | None = None
    right: OwnLength | None = None
    width: Annotated[OwnLength, Field(description="initial: as the height asks for, else the image's own.")] = INITIAL
    height: Annotated[OwnLength, Field(description="initial: as the width asks for, else the image's own.")] = INITIAL
    opacity: Annotated[
        str, AfterValidator(_opacity), Field(json_schema_extra={"pattern": f"^{_OPACITY.pattern}$"})
    ] = "100%"

    def column(self) -> dict[str, Any]:
        return {**self.model_dump(), "opacity": float(self.opacity.removesuffix("%")) / WHOLE}


class CropBody(Body):
    """The part of the upright picture that is shown; sides and places become even numbers of pixels."""

    left: Length = "0px"
    top: Length = "0px"
    width: Length
    height: Length

    @field_validator("width", "height")
    @classmethod
    def _within(cls, value: str, info: ValidationInfo) -> str:
        """Pixels are checked against the picture, once it is known."""
        offset = info.data.get("left" if info.field_name == "width" else "top")
        start, extent = (lengths.parsed(text) for text in (offset or "0px", value))
        if extent[0] == 0:
            raise PydanticCustomError("crop", "Nothing is left of the picture.")
        if extent[1] and extent[0] + (start[0] if start[1] else 0) > WHOLE:
            raise PydanticCustomError("crop", "This is more than the whole picture.")
        return value

    def column(self) -> dict[str, Any]:
        return self.model_dump()


class Watermark(Answer):
    id: str
    top: str | None
    left: str | None
    bottom: str | None
    right: str | None
    width: str
    height: str
    opacity: str


class Crop(Answer):
    left: str
    top: str
    width: str
    height: str


def watermark(row: Video) -> Watermark | None:
    if row.watermark is None:
        return None
    return Watermark(**{**row.watermark, "opacity": f"{row.watermark['opacity'] * WHOLE:g}%"})


def crop(row: Video) -> Crop | None:
    return Crop(**row.crop) if row.crop is not None else None
