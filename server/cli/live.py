"""`sluice live …`"""

from typing import Any

import click

from server.cli.options import JSON_OPTION, calls_api, pairs, stated, sure
from server.cli.showing import show_json, show_list, show_one
from server.cli.tables import column, moment, size
from server.client.api import Api, at

COLUMNS = [
    column("ID", "liveStreamId"),
    column("NAME", "name", cut=True),
    column("STATE", "state"),
    column("LATENCY", "latencyMode", rank=3),
    column("RECORD", "record", rank=2),
    column("PUBLIC", "public", rank=1),
    moment("CREATED (UTC)", "createdAt", rank=4),
]
SHOWN = (
    "liveStreamId", "name", "state", "broadcasting", "rtmp", "rtmps", "srt", "streamKey", "backupStreamKey", "public",
    "record", "latencyMode", "reconnectWindow", "schedule", "sourceUrl", "source", "tags", "metadata", "createdAt",
    "links", "assets",
)  # fmt: skip
WARNINGS = [column("WARNING", "code"), column("", "message")]
MODES = click.Choice(["ultra-low", "low", "reduced", "standard"])
NAME = click.option("--name")
PUBLIC = click.option("--public/--private", "public", default=None, help="Whether watching it takes no token.")
RECORD = click.option("--record/--no-record", "record", default=None, help="Whether broadcasts become videos.")
LATENCY = click.option("--latency", "latency_mode", type=MODES)
WINDOW = click.option(
    "--reconnect-window", type=click.IntRange(0), help="Seconds that a lost broadcaster may stay away."
)
RENDITIONS = click.option(
    "--renditions", type=click.Choice(["passthrough", "ladder"]), help="ladder: with lower renditions."
)
TAGS = click.option("--tag", "tags", multiple=True, help="May be repeated.")
METADATA = click.option("--metadata", multiple=True, callback=pairs, metavar="KEY=VALUE", help="May be repeated.")


@click.group()
def live() -> None:
    """Live streams: make, change, end, look how they go."""


@live.command("list")
@click.option("--name", help="Contained in the name.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@JSON_OPTION
@calls_api
def list_live_streams(api: Api, name: str | None, limit: int, as_json: bool) -> None:
    """List live streams, newest first."""
    show_list(api.every("/live-streams", {"name": name}, limit), COLUMNS, as_json)


@live.command("show")
@click.argument("id")
@JSON_OPTION
@calls_api
def show_live_stream(api: Api, id: str, as_json: bool) -> None:
    """Show the live stream ID, with its stream key."""
    show_one(api.call("GET", at("live-streams", id)), as_json, *SHOWN)


@live.command("create")
@click.argument("name")
@PUBLIC
@RECORD
@LATENCY
@WINDOW
@RENDITIONS
@click.option("--source", "source_url", help="URL that it is pulled from.")
@TAGS
@METADATA
@JSON_OPTION
@calls_api
def create_live_stream(api: Api, as_json: bool, **given: Any) -> None:
    """Make a live stream called NAME; says where to publish."""
    show_one(api.call("POST", "/live-streams", stated(**given)), as_json, *SHOWN)


@live.command("update")
@click.argument("id")
@NAME
@PUBLIC
@RECORD
@LATENCY
@WINDOW
@RENDITIONS
@click.option("--source", "source_url", help="URL that it is pulled from.")
@TAGS
@METADATA
@JSON_OPTION
@calls_api
def update_live_stream(api: Api, id: str, as_json: bool, **given: Any) -> None:
    """Change the live stream ID. Tags and metadata that are given take the place of all there were."""
    show_one(api.call("PATCH", at("live-streams", id), stated(**given)), as_json, *SHOWN)


@live.command("delete")
@click.argument("ids", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON_OPTION
@calls_api
def delete_live_streams(api: Api, ids: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Delete the live streams IDS; recordings stay."""
    sure(f"{len(ids)} live stream{'s' * (len(ids) > 1)}", yes)
    for id in ids:
        api.call("DELETE", at("live-streams", id))
    if as_json:
        show_json({"deleted": list(ids)})


@live.command("complete")
@click.argument("id")
@JSON_OPTION
@calls_api
def complete_live_stream(api: Api, id: str, as_json: bool) -> None:
    """End the broadcast that is on air; the recording becomes a video."""
    api.call("PUT", at("live-streams", id, "complete"))
    if as_json:
        show_json({"completed": id})


@live.command("enable")
@click.argument("id")
@JSON_OPTION
@calls_api
def enable_live_stream(api: Api, id: str, as_json: bool) -> None:
    """Let publishers of the live stream ID in again."""
    show_one(api.call("PUT", at("live-streams", id, "enable")), as_json, "liveStreamId", "state")


@live.command("disable")
@click.argument("id")
@JSON_OPTION
@calls_api
def disable_live_stream(api: Api, id: str, as_json: bool) -> None:
    """End what is on air, and refuse publishers until the live stream ID is enabled."""
    show_one(api.call("PUT", at("live-streams", id, "disable")), as_json, "liveStreamId", "state")


@live.command("reset-key")
@click.argument("id")
@JSON_OPTION
@calls_api
def reset_key(api: Api, id: str, as_json: bool) -> None:
    """Give the live stream ID another stream key; who publishes with the old one is cut off."""
    show_one(api.call("POST", at("live-streams", id, "reset-stream-key")), as_json, "liveStreamId", "streamKey")


@live.command("health")
@click.argument("id")
@JSON_OPTION
@calls_api
def health(api: Api, id: str, as_json: bool) -> None:
    """Show what the encoder of the live stream ID sends, and what is wrong with it."""
    found = api.call("GET", at("live-streams", id, "health"))
    if as_json:
        show_json(found)
        return
    show_one(_summary(found), False)
    show_list(found["warnings"], WARNINGS, False)


def _summary(found: Any) -> dict[str, Any]:
    names = ("state", "bitrate", "bitrateLastMinute", "skew", "roundTrip", "packetLoss", "playlists")
    encoder = found["encoder"] or {}
    return {
        **{name: found[name] for name in names},
        "encoder": {name: encoder.get(name) for name in ("protocol", "encoder", "address", "connected")},
        "video": [
            f"{one['codec']} {one['width']}x{one['height']} {one['frameRate'] or '?'}/s" for one in found["video"]
        ],
        "audio": [f"{one['codec']} {one['sampleRate']} Hz {one['channels']} ch" for one in found["audio"]],
        "received": size((found["counts"] or {}).get("bytes")),
    }
