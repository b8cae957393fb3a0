"""`sluice videos …`"""

import json
import sys
from pathlib import Path
from typing import Any

import click

from server.cli.options import JSON_OPTION, Failed, calls_api, failures, pairs, stated, sure
from server.cli.showing import show_json, show_list, show_one
from server.cli.tables import Column, column, length, moment
from server.client.api import Api, at
from server.client.tus import default_memory, upload
from server.client.watching import Sight, look, watch

COLUMNS = [
    column("ID", "videoId"),
    column("TITLE", "title", cut=True),
    column("STATE", "state"),
    Column("LENGTH", lambda row: length(row["duration"]), rank=1, right=True),
    column("PUBLIC", "public", rank=2),
    column("TAGS", "tags", cut=True, rank=4),
    moment("CREATED (UTC)", "createdAt", rank=3),
]
SHOWN = (
    "videoId", "title", "description", "state", "playable", "duration", "public", "language", "tags", "metadata",
    "folderId", "createdAt", "error", "source", "links", "assets",
)  # fmt: skip
EMPTY: dict[str, tuple[str, Any]] = {"tags": ("tags", []), "metadata": ("metadata", []), "folder": ("folderId", None)}
LIMIT_OPTION = click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
TITLE = click.option("--title")
DESCRIPTION = click.option("--description")
PUBLIC = click.option("--public/--private", "public", default=None, help="Whether watching it takes no token.")
TAGS = click.option("--tag", "tags", multiple=True, help="May be repeated.")
METADATA = click.option("--metadata", multiple=True, callback=pairs, metavar="KEY=VALUE", help="May be repeated.")
FOLDER = click.option("--folder", "folder_id", help="The folder that it is in.")
LANGUAGE = click.option("--language", help="Such as en or pt-BR.")


@click.group()
def videos() -> None:
    """Videos: list, upload, change, delete, watch over them."""


@videos.command("list")
@click.option("--search", help="Words that begin one in title, description, tags or metadata each.")
@click.option("--title", help="Contained in the title.")
@click.option("--description", help="Contained in the description.")
@TAGS
@METADATA
@click.option("--live-stream", "live_stream_id", help="Only recordings of this live stream.")
@click.option("--folder", "folder_id", help="Only those directly in this folder; root: in none.")
@click.option("--sort", "sort_by", type=click.Choice(["title", "createdAt", "publishedAt", "updatedAt"]))
@click.option("--order", "sort_order", type=click.Choice(["asc", "desc"]))
@LIMIT_OPTION
@JSON_OPTION
@calls_api
def list_videos(api: Api, limit: int, as_json: bool, metadata: list[dict[str, str]], **wanted: Any) -> None:
    """List videos, newest first. A filter that is given must hold."""
    query = {**stated(**wanted), "metadata": {one["key"]: one["value"] for one in metadata}}
    show_list(api.every("/videos", query, limit), COLUMNS, as_json)


@videos.command("show")
@click.argument("id")
@JSON_OPTION
@calls_api
def show_video(api: Api, id: str, as_json: bool) -> None:
    """Show the video ID."""
    show_one(api.call("GET", at("videos", id)), as_json, *SHOWN)


@videos.command("create")
@click.argument("title")
@click.option("--source", help="URL of a media file that the server fetches, or the id of a video to copy.")
@DESCRIPTION
@PUBLIC
@TAGS
@METADATA
@LANGUAGE
@FOLDER
@JSON_OPTION
@calls_api
def create_video(api: Api, as_json: bool, **given: Any) -> None:
    """Make a video called TITLE, which waits for its file or has it fetched."""
    show_one(api.call("POST", "/videos", stated(**given)), as_json, *SHOWN)


@videos.command("update")
@click.argument("id")
@TITLE
@DESCRIPTION
@PUBLIC
@TAGS
@METADATA
@LANGUAGE
@FOLDER
@click.option("--clear", "cleared", multiple=True, type=click.Choice(list(EMPTY)), help="May be repeated.")
@JSON_OPTION
@calls_api
def update_video(api: Api, id: str, as_json: bool, cleared: tuple[str, ...], **given: Any) -> None:
    """Change the video ID. Tags and metadata that are given take the place of all there were."""
    changes = {**stated(**given), **dict(map(EMPTY.__getitem__, cleared))}
    show_one(api.call("PATCH", at("videos", id), changes), as_json, *SHOWN)


@videos.command("delete")
@click.argument("ids", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON_OPTION
@calls_api
def delete_videos(api: Api, ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete the videos IDS."""
    sure(f"{len(ids)} video{'s' * (len(ids) > 1)}", yes)
    for id in ids:
        api.call("DELETE", at("videos", id))
    if as_json:
        show_json({"deleted": list(ids)})


@videos.command("upload")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--title", help="Of the video; by default the name of the file.")
@click.option("--video", "video_id", help="Id of the video that the file is for, instead of a new one.")
@click.option("--replace", is_flag=True, help="It takes the place of the file that the video has.")
@DESCRIPTION
@PUBLIC
@TAGS
@METADATA
@click.option("--wait", is_flag=True, help="Wait until it is encoded, too.")
@JSON_OPTION
@calls_api
def upload_videos(api: Api, files: tuple[Path, ...], wait: bool, as_json: bool, **given: Any) -> None:
    """Upload FILES. What was cut off goes on where it was: call the same again."""
    if len(files) > 1 and (given["video_id"] or given["title"]):
        raise click.UsageError("--video and --title are for one file.")
    found = [_uploaded(api, path, _said(path, **given), wait) for path in files]
    if as_json:
        show_json(found)
    else:
        show_list(found, COLUMNS, False)
    sys.exit(any(video["state"] == "error" for video in found))


def _uploaded(api: Api, path: Path, said: dict[str, str], wait: bool) -> Any:
    size = path.stat().st_size
    with click.progressbar(length=size, label=f"Uploading {path.name}", file=sys.stderr, show_pos=False) as bar:
        try:
            id = upload(api, path, said, default_memory(), lambda come: bar.update(come - bar.pos))
        except ConnectionError:
            raise
        except OSError as error:
            raise Failed(str(error)) from None
        except KeyboardInterrupt:
            click.echo("\nIt goes on where it was when the same is called again.", err=True)
            raise
    return _watched(api, id).video if wait else api.call("GET", at("videos", id))


def _said(
    path: Path, title: str | None, video_id: str | None, replace: bool, description: str | None, public: bool | None,
    tags: tuple[str, ...], metadata: list[dict[str, str]],
) -> dict[str, str]:  # fmt: skip
    """The upload's metadata."""
    found = {"filename": path.name, "title": title, "description": description, "videoId": video_id}
    if public is not None:
        found["public"] = "true" if public else "false"
    if replace:
        found["replace"] = "true"
    if tags:
        found["tags"] = json.dumps(tags)
    if metadata:
        found["metadata"] = json.dumps(metadata)
    return {name: value for name, value in found.items() if value}


@videos.command("status")
@click.argument("id")
@click.option("--watch", "follow", is_flag=True, help="Until it is done, or has failed.")
@JSON_OPTION
@calls_api
def video_status(api: Api, id: str, follow: bool, as_json: bool) -> None:
    """Show how far the video ID is; exits with 1 where it has failed."""
    sight = _watched(api, id) if follow else look(api, id)
    status = api.call("GET", at("videos", id, "status"))
    if as_json:
        show_json({**status, "state": sight.video["state"], "error": sight.video["error"], "jobs": sight.jobs})
    else:
        show_one(_summary(sight, status), False)
    sys.exit(sight.video["state"] == "error")


@videos.command("link")
@click.argument("id")
@click.option("--ttl", default=3600, show_default=True, help="Seconds in which playback may be started.")
@click.option("--viewer", help="Your product's id of the viewer.")
@click.option("--origin", "origins", multiple=True, help="Page origin that may play. May be repeated.")
@JSON_OPTION
@calls_api
def link_video(api: Api, id: str, as_json: bool, **given: Any) -> None:
    """Make links that open the video ID, also a private one."""
    made = api.call("POST", at("videos", id, "tokens"), stated(**given))
    show_one(made, as_json, "embed", "hls", "dash", "thumbnail", "tokenId", "expiresAt")


def _summary(sight: Sight, status: dict[str, Any]) -> dict[str, Any]:
    qualities = status["encoding"]["qualities"]
    return {
        "state": sight.video["state"],
        "playable": sight.video["playable"],
        "done": f"{sight.share:.0%}",
        "qualities": [f"{one['type']} {one['quality']} {one['status']}" for one in qualities],
        "jobs": [f"{job['kind']} {job['state']} {job['progress']:.0%}" for job in sight.jobs if job["state"] != "done"],
        "error": sight.video["error"],
    }


def _watched(api: Api, id: str) -> Sight:
    """With a progress bar on standard error, which goes back where more work is found."""
    with click.progressbar(length=1000, label="Waiting", file=sys.stderr, show_pos=False) as bar, failures():

        def seen(sight: Sight) -> None:
            bar.label = sight.video["state"].capitalize()
            bar.update(round(sight.share * 1000) - bar.pos)

        return watch(api, id, seen)
