"""The `sluice` command. Heavy parts are imported by the command that needs them."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from server.cli.assistant import mcp
from server.cli.options import CONFIG_OPTION, JSON_OPTION, Failed, calls_api, load, show_json
from server.client.api import Api


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sluice")
def main() -> None:
    """Sluice, a self-hosted video API."""


@main.command()
@CONFIG_OPTION
def serve(config_path: Path | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    config = load(config_path)
    from server.app.serving import serve as run

    sys.exit(_run(run(config)))


@main.command()
@CONFIG_OPTION
def worker(config_path: Path | None) -> None:
    """Work on jobs only (needs PostgreSQL)."""
    config = load(config_path)
    url = config.database.url or "sqlite:"
    if url.startswith("sqlite"):
        raise click.ClickException(
            "sluice worker shares the jobs of a PostgreSQL database; on SQLite the server itself does all the work"
        )
    from server.app.worker import work

    sys.exit(_run(work(config)))


@main.command()
@CONFIG_OPTION
def check(config_path: Path | None) -> None:
    """Check settings, database, storage and codecs; exits non-zero with a sentence for each fault."""
    config = load(config_path)
    from server.app.commands import check as find_faults
    from server.app.commands import isolation

    for line in _run(isolation()):
        click.echo(line)
    faults = _run(find_faults(config))
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        sys.exit(1)
    click.echo("all is well")


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@CONFIG_OPTION
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; all when left out. May be repeated.")
@click.option("--project", help="Id of its project; the default one when left out.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Days until it opens nothing any more.")
def create_key(
    config_path: Path | None, name: str, scopes: tuple[str, ...], project: str | None, days: float | None
) -> None:
    """Make an API key and print it; it is shown only once."""
    from server.app.key_commands import create

    click.echo(_keys(create, config_path, name, list(scopes) or ["*"], project, days))


@keys.command("list")
@CONFIG_OPTION
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def list_keys(config_path: Path | None, as_json: bool) -> None:
    """List the API keys of all projects, without their secrets."""
    from server.app.key_commands import listed

    found = _keys(listed, config_path)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for key in found:
        used, ends = key["lastUsedAt"] or "never used", key["expiresAt"] or "no end"
        click.echo(f"{key['apiKeyId']}  {key['name']}  {','.join(key['scopes'])}  {key['projectId']}  {used}  {ends}")


@keys.command("rotate")
@CONFIG_OPTION
@click.argument("id")
@click.option("--overlap", default=3600, show_default=True, type=click.IntRange(0), help="Seconds for the old one.")
def rotate_key(config_path: Path | None, id: str, overlap: int) -> None:
    """Give the API key ID a new secret and print it; the old one is good for --overlap seconds more."""
    from server.app.key_commands import rotate

    click.echo(_keys(rotate, config_path, id, overlap))


@keys.command("revoke")
@CONFIG_OPTION
@click.argument("id")
def revoke_key(config_path: Path | None, id: str) -> None:
    """Revoke the API key ID: a running server refuses it within seconds."""
    from server.app.key_commands import revoke

    _keys(revoke, config_path, id)


def _keys(command: Callable[..., Coroutine[Any, Any, Any]], config_path: Path | None, *arguments: Any) -> Any:
    try:
        return _run(command(load(config_path), *arguments))
    except (ValueError, LookupError) as error:  # ConfigError is one
        raise click.ClickException(": ".join(map(str, error.args))) from None


@main.command()
@CONFIG_OPTION
@click.argument("id")
@click.option("--ttl", default=3600, show_default=True, help="Seconds until it opens nothing any more.")
@click.option("--viewer", help="Your product's id of the viewer, carried into analytics.")
@click.option("--origin", "origins", multiple=True, help="Page origin that may play. May be repeated.")
@click.option("--ip", help="Address or network that may play.")
def token(
    config_path: Path | None, id: str, ttl: int, viewer: str | None, origins: tuple[str, ...], ip: str | None
) -> None:
    """Mint a playback token for a private video or live stream ID and print it."""
    config = load(config_path)
    from server.app.commands import mint

    claims: dict[str, Any] = {"viewer": viewer, "origins": list(origins) or None, "ip": ip}
    try:
        click.echo(_run(mint(config, id, ttl, {k: v for k, v in claims.items() if v is not None})))
    except (LookupError, ValueError) as error:
        raise click.ClickException(": ".join(map(str, error.args))) from None


@main.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@JSON_OPTION
@calls_api
def import_videos(api: Api, file: Path, as_json: bool) -> None:
    """Import videos from FILE, a CSV table whose first row names its columns: url, title, description, tags, public,
    metadata.…; waits until all are done. A file that was imported before is only looked at."""
    from server.client.importing import import_file, unfinished

    left = 0
    with click.progressbar(length=1, label="Importing", file=sys.stderr) as bar:

        def began(found: dict[str, Any]) -> None:
            nonlocal left
            bar.length, left = found["total"], found["total"]
            moved(found)

        def moved(found: dict[str, Any]) -> None:
            nonlocal left
            bar.update(left - unfinished(found))
            left = unfinished(found)

        try:
            found = import_file(api, file, began, moved)
        except OSError as error:
            raise Failed(str(error)) from None
    if as_json:
        show_json(found)
    else:
        for video in found["videos"]:
            reason = f": {video['error']['title']} {video['error']['detail'] or ''}" if video["error"] else ""
            click.echo(f"{video['videoId']}  {video['state']}  {video['title'] or ''}{reason}")
    sys.exit(any(video["state"] != "done" for video in found["videos"]))


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    return uvloop.run(work) if sys.platform != "win32" else asyncio.run(work)


for command in (mcp,):
    main.add_command(command)
