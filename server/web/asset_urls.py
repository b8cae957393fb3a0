"""Where players find an asset: the only place that spells watching URLs for answers.

A private asset's carry a token in their path, so that relative URLs in a playlist inherit it.
"""

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True, slots=True)
class AssetUrls:
    hls: str
    dash: str
    player: str
    thumbnail: str
    mp4: str | None = None  # of a video

    @property
    def iframe(self) -> str:
        """The HTML to paste into a page."""
        return (
            f'<iframe src="{escape(self.player)}" width="100%" height="100%" frameborder="0" scrolling="no" '
            'allow="autoplay; fullscreen; picture-in-picture" allowfullscreen=""></iframe>'
        )


def of_video(base_url: str, video_id: str, token: str | None = None) -> AssetUrls:
    root = f"{base_url}/vod/{video_id}" + (f"/token/{token}" if token else "")
    return AssetUrls(
        hls=f"{root}/hls/manifest.m3u8",
        dash=f"{root}/dash/manifest.mpd",
        player=_embed(base_url, video_id, token),
        thumbnail=f"{root}/thumbnail.jpg",
        mp4=f"{root}/mp4/source.mp4",
    )


def of_page(base_url: str, video_id: str, token: str | None = None) -> str:
    """The shortest address of a page that shows it."""
    return f"{base_url}/{video_id}" + (f"?token={token}" if token else "")


def of_posters(base_url: str, video_id: str, token: str | None = None) -> dict[str, str]:
    """By the names of sizes."""
    root = f"{base_url}/vod/{video_id}" + (f"/token/{token}" if token else "")
    return {size: f"{root}/poster/{size}.jpg" for size in ("xs", "sm", "md", "lg")}


def of_material(base_url: str, video_id: str, material_id: str, token: str | None = None) -> str:
    """Where a file that goes with the video is downloaded."""
    return f"{base_url}/vod/{video_id}" + (f"/token/{token}" if token else "") + f"/materials/{material_id}"


def of_text(base_url: str, video_id: str, kind: str, language: str, token: str | None = None) -> str:
    """Captions or chapters."""
    return f"{base_url}/vod/{video_id}" + (f"/token/{token}" if token else "") + f"/{kind}/{language}.vtt"


def of_logo(base_url: str, player_id: str, version: int) -> str:
    """A player's."""
    return f"{base_url}/player/{player_id}/logo.png?v={version}"


def of_live_stream(base_url: str, stream_id: str, token: str | None = None) -> AssetUrls:
    live = f"{base_url}/live"
    root = f"{live}/{stream_id}" + (f"/token/{token}" if token else "")
    manifest = f"{root}/{stream_id}" if token else f"{live}/{stream_id}"
    return AssetUrls(
        hls=f"{manifest}.m3u8",
        dash=f"{manifest}.mpd",
        player=_embed(base_url, stream_id, token),
        thumbnail=f"{root}/thumbnail.jpg",
    )


def _embed(base_url: str, id: str, token: str | None) -> str:
    return f"{base_url}/embed/{id}" + (f"?token={token}" if token else "")
