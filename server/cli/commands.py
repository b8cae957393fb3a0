"""The `sluice` command. Heavy parts are imported by the command that needs them."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click

from server.cli.assistant import mcp
from server.cli.completion import completion
from server.cli.importing import import_videos
from server.cli.jobs import jobs
from server.cli.keys import keys
from server.cli.live import live
from server.cli.options import CONFIG_OPTION, load
from server.cli.videos import videos
from server.cli.webhooks import webhooks


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


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    import uvloop

    return uvloop.run(work) if sys.platform != "win32" else asyncio.run(work)


for command in (completion, import_videos, jobs, keys, live, mcp, videos, webhooks):
    main.add_command(command)
