"""A poster as the dialect's JSON."""

from server.catalog.library_models import Poster
from server.catalog.models import Video
from server.web import asset_urls
from server.web.hls.images import POSTERS
from server.web.kinescope import identifiers
from server.web.kinescope.shapes import Answer, Id
from server.web.typed import Call


class PosterAnswer(Answer):
    """URLs of the picture in several widths; empty where it was uploaded and is not shown now."""

    id: Id
    video_id: Id
    status: str
    active: bool
    from_time: float | None
    original: str
    lg: str
    md: str
    sm: str
    xs: str


def poster(call: Call, row: Video, chosen: Poster | None, token: str | None) -> PosterAnswer | None:
    """The one that is shown: chosen, or made of the video by itself."""
    if chosen is not None:
        return of_row(call, row, chosen, token)
    if row.poster_at is None:
        return None
    return _answer(call, row, identifiers.made(row.id, "poster"), row.poster_s, token)


def of_row(call: Call, row: Video, chosen: Poster, token: str | None) -> PosterAnswer:
    if chosen.active:
        return _answer(call, row, chosen.id, chosen.at_s, token)
    sizes, original = dict.fromkeys(POSTERS, ""), ""
    if chosen.at_s is not None:
        original = f"{asset_urls.of_video(call.media_url, row.id, token).thumbnail}?time={chosen.at_s:g}&exact=1"
        sizes = {size: f"{original}&width={width}" for size, width in POSTERS.items()}
    return PosterAnswer(
        id=chosen.id, video_id=row.id, status="done", active=False, from_time=chosen.at_s, original=original, **sizes
    )


def _answer(call: Call, row: Video, id: str, at_s: float | None, token: str | None) -> PosterAnswer:
    sizes = asset_urls.of_posters(call.base_url, row.id, token)
    return PosterAnswer(
        id=id,
        video_id=row.id,
        status="done" if row.poster_at else "pending",
        active=True,
        from_time=at_s,
        original=asset_urls.of_video(call.media_url, row.id, token).thumbnail,
        **sizes,
    )
