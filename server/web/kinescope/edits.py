"""New videos of the dialect that are made of videos: copied, cut, joined."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from pydantic import Field

from server.catalog import video_details
from server.catalog.database import Transaction
from server.catalog.models import Video
from server.catalog.versions import NotNow
from server.errors import Problem
from server.vod.edits import PartNotNow, Span, apart, span_of
from server.web.api import clones
from server.web.api.clones import EDITS, conflicts
from server.web.kinescope import identifiers, places
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import Body, Data, GivenId
from server.web.kinescope.video_answers import VideoAnswer
from server.web.kinescope.videos import answer, find
from server.web.typed import Call

LIMIT_S = 365 * 86400
MOST_JOINED = 99  # beside the video itself
MOST_SIDE = 16_384  # pixels
MOST_STRETCHES = 100  # in one order: each is a file for a while

operations = kinescope_operations("Videos")

Seconds = Annotated[float, Field(ge=0, le=LIMIT_S)]
Pixels = Annotated[int, Field(ge=0, le=MOST_SIDE)]


class Copy(Body):
    parent_id: Annotated[GivenId, Field(description="The project or folder that the copy is put into.")]


class CropBody(Body):
    """The part of the picture that is left, in pixels of the picture at `quality`, by default of the file's own."""

    w: Annotated[int, Field(ge=2, le=MOST_SIDE)]
    h: Annotated[int, Field(ge=2, le=MOST_SIDE)]
    x: Pixels = 0
    y: Pixels = 0
    quality: Annotated[str | None, Field(pattern=r"^[1-9][0-9]{1,3}p$")] = None


class Stretch(Body):
    start: Seconds = 0.0
    length: Annotated[Seconds | None, Field(description="By default, to the end.")] = None

    def span(self, duration_s: float | None) -> Span:
        """Raises SpanError."""
        return span_of(self.start, None if self.length is None else self.start + self.length, duration_s)


class Cut(Body):
    crop: CropBody | None = None
    trim: Annotated[list[Stretch], Field(max_length=MOST_STRETCHES)] = Field(default_factory=list)


class Part(Body):
    video_id: GivenId


class Concat(Body):
    prepend: Annotated[list[Part], Field(max_length=MOST_JOINED, description="Come before, in this order.")] = Field(
        default_factory=list
    )
    append: Annotated[list[Part], Field(max_length=MOST_JOINED, description="Come behind, in this order.")] = Field(
        default_factory=list
    )
    replace: Annotated[bool, Field(description="The video itself becomes the joined one.")] = False


@operations.post(
    "/v1/videos/{video_id}/copy", "Copy a video", scope="videos:write", errors=["conflict", "invalid-id"],
    example={"parent_id": "658e977b-3e2f-435f-913e-73e00465e638"},
)  # fmt: skip
async def copy(call: Call, video_id: str, body: Copy) -> Data[VideoAnswer]:
    async with call.services.database.write() as transaction:
        origin = await find(transaction, call, video_id)
        place = await places.parent(transaction, call, body.parent_id)
        given = {"title": origin.title, "folder_id": place.folder_id}
        row = await clones.clone(transaction, call, origin, given)
        await video_details.inherit(transaction, row, origin)
        await video_details.take_over(transaction, row, place.library.settings)
        return await answer(transaction, call, row)


@operations.post(
    "/v1/videos/{video_id}/cut", "Cut a video", scope="videos:write", errors=["conflict", "unprocessable"],
    example={"trim": [{"start": 6, "length": 2}]},
)  # fmt: skip
async def cut(call: Call, video_id: str, body: Cut) -> Data[VideoAnswer]:
    """A new video in the same place, of stretches of this one, in the order in which they are named, and of a part of
    its picture. This one stays. Stretches have nothing in common."""
    edits = call.request.app[EDITS]
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        given = _crop(row, body.crop) if body.crop else {}
        with conflicts():
            spans = [each.span(row.duration_s) for each in body.trim]
            apart(spans, row.duration_s)
            if len(spans) > 1:
                made = await edits.cut(transaction, row, spans, None, given)
            else:
                made = await edits.clip(transaction, row, spans[0] if spans else Span(), None, given)
        await video_details.inherit(transaction, made, row)
        return await answer(transaction, call, made)


@operations.post(
    "/v1/videos/{video_id}/concat", "Join videos", scope="videos:write",
    errors=["conflict", "invalid-id"],
    example={"append": [{"video_id": "9460903b-b179-484c-b62e-31edcfa56069"}], "replace": False},
)  # fmt: skip
async def concat(call: Call, video_id: str, body: Concat) -> Data[VideoAnswer]:
    """A new video in the same place, of all of them in a row; the others stay, in any case. It is public where all of
    them are, and else for pages of the domains that are named for all that are not. Where that changes of one before
    the joined one can be watched, the joined one goes by it; one that is deleted or moved meanwhile is in it all the
    same.

    With `replace` the video itself shows all of them, under its id and its URLs. The answer is the video as it is:
    it goes on showing what it shows until the joined one is made, then all changes at once, and who is watching goes on
    with the old one for a while. If they can't be joined it stays as it is, and the event `video.version.error` says
    why. Its captions, chapters, annotations, posters and preview keep to what they belong to, later by the length of
    what comes before; captions and chapters of the others come to its own, language by language. Where one of the
    others is for fewer to see, it is for those from then on. A trim of it can't be taken back any more."""
    if not body.prepend and not body.append:
        raise Problem("attribute-required", "Name at least one more video.", name="append")
    if len(body.prepend) + len(body.append) > MOST_JOINED:
        raise Problem("invalid-attribute", f"At most {MOST_JOINED} more videos are joined.", name="append")
    edits = call.request.app[EDITS]
    async with call.services.database.write() as transaction:
        row = await find(transaction, call, video_id)
        before = [await _part(transaction, call, each, "prepend") for each in body.prepend]
        behind = [await _part(transaction, call, each, "append") for each in body.append]
        with _in_the_way(len(before)):
            if body.replace:
                await edits.lengthen(transaction, row, before, behind)
                return await answer(transaction, call, row)
            parts = [*before, row, *behind]
            given = {"folder_id": row.folder_id, "public": all(part.public for part in parts)}
            made = await edits.concat(transaction, parts, None, given)
        await video_details.inherit(transaction, made, *parts)
        return await answer(transaction, call, made)


async def _part(transaction: Transaction, call: Call, part: Part, name: str) -> Video:
    return await find(transaction, call, identifiers.canonical("vi", part.video_id, name), name)


@contextmanager
def _in_the_way(before: int) -> Iterator[None]:
    """What can't be joined, as an answer that names it; so many come before the video itself."""
    try:
        yield
    except PartNotNow as error:
        name, number = ("prepend", error.part) if error.part < before else ("append", error.part - before - 1)
        name = "video_id" if error.part == before else f"{name}[{number}].video_id"
        raise Problem("conflict", error.sentence, name=name) from None
    except NotNow as error:
        raise Problem("conflict", str(error), name="video_id") from None


def _crop(row: Video, body: CropBody) -> dict[str, Any]:
    """As a video's row keeps it, in shares of the picture. Raises Problem."""
    if row.altered:
        raise Problem("conflict", "The video's picture is cut or marked already.", name="crop")
    streams = (row.media or {}).get("streams", [])
    picture: dict[str, Any] = next((each for each in streams if each.get("kind") == "video"), {})
    width, height = picture.get("width"), picture.get("height")
    if not width or not height:
        raise Problem("conflict", "The video's picture is not known.", name="crop")
    scale = int(body.quality[:-1]) / min(width, height) if body.quality else 1.0
    shown_width, shown_height = width * scale, height * scale
    if body.x + body.w > shown_width + 1 or body.y + body.h > shown_height + 1:
        raise Problem("invalid-attribute", f"The picture has {shown_width:.0f}x{shown_height:.0f} pixels.", name="crop")
    left, top = 100 * body.x / shown_width, 100 * body.y / shown_height
    wide, high = min(100 - left, 100 * body.w / shown_width), min(100 - top, 100 * body.h / shown_height)
    return {"crop": {"left": f"{left:.3f}%", "top": f"{top:.3f}%", "width": f"{wide:.3f}%", "height": f"{high:.3f}%"}}
