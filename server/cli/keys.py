"""`sluice keys …`: of a server, over its API; without --url and --key, in the catalogue of this machine, which takes
neither a key nor a server that runs."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from server import clock
from server.cli.options import JSON_OPTION, api, failures, load, server_options, stated
from server.cli.showing import show_json, show_list
from server.cli.tables import column, moment
from server.client.api import Api, at

COLUMNS = [
    column("ID", "apiKeyId"),
    column("NAME", "name", cut=True),
    column("SCOPES", "scopes", cut=True, rank=1),
    column("PROJECT", "projectId", rank=4),
    moment("LAST USED (UTC)", "lastUsedAt", rank=2),
    moment("EXPIRES (UTC)", "expiresAt", rank=3),
]


@click.group()
def keys() -> None:
    """API keys. Without --url and --key: those of this machine's catalogue, whether a server runs or not."""


@keys.command("create")
@click.option("--name", default="command line", show_default=True, help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; all when left out. May be repeated.")
@click.option("--project", help="Id of its project; the default one when left out.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Days until it opens nothing any more.")
@JSON_OPTION
@server_options
def create_key(
    config_path: Path | None, url: str | None, key: str | None, name: str, scopes: tuple[str, ...],
    project: str | None, days: float | None, as_json: bool,
) -> None:  # fmt: skip
    """Make an API key and print it; it is shown only once."""
    wanted = list(scopes) or ["*"]
    if url or key:
        ends = (clock.now() + timedelta(days=days)).isoformat() if days is not None else None
        with failures():
            body = stated(name=name, scopes=wanted, project_id=project, expires_at=ends)
            made = _api(config_path, url, key).call("POST", "/api-keys", body)
        _show_secret(made, as_json)
        return
    from server.app.key_commands import create

    _show_secret({"secret": _here(create, config_path, name, wanted, project, days)}, as_json)


@keys.command("list")
@JSON_OPTION
@server_options
def list_keys(config_path: Path | None, url: str | None, key: str | None, as_json: bool) -> None:
    """List API keys without their secrets: those of the key's project, or here of all projects."""
    if url or key:
        with failures():
            found = list(_api(config_path, url, key).every("/api-keys"))
    else:
        from server.app.key_commands import listed

        found = _here(listed, config_path)
    show_list(found, COLUMNS, as_json)


@keys.command("rotate")
@click.argument("id")
@click.option("--overlap", default=3600, show_default=True, type=click.IntRange(0), help="Seconds for the old one.")
@JSON_OPTION
@server_options
def rotate_key(
    config_path: Path | None, url: str | None, key: str | None, id: str, overlap: int, as_json: bool
) -> None:
    """Give the API key ID a new secret and print it; the old one is good for --overlap seconds more."""
    if url or key:
        with failures():
            made = _api(config_path, url, key).call("POST", at("api-keys", id, "rotate"), {"overlap": overlap})
        _show_secret(made, as_json)
        return
    from server.app.key_commands import rotate

    _show_secret({"apiKeyId": id, "secret": _here(rotate, config_path, id, overlap)}, as_json)


@keys.command("revoke")
@click.argument("id")
@JSON_OPTION
@server_options
def revoke_key(config_path: Path | None, url: str | None, key: str | None, id: str, as_json: bool) -> None:
    """Revoke the API key ID: a running server refuses it within seconds."""
    if url or key:
        with failures():
            _api(config_path, url, key).call("DELETE", at("api-keys", id))
    else:
        from server.app.key_commands import revoke

        _here(revoke, config_path, id)
    if as_json:
        show_json({"revoked": id})


def _show_secret(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(made)
    else:
        click.echo(made["secret"])


def _api(config_path: Path | None, url: str | None, key: str | None) -> Api:
    return api(load(config_path), url, key)


def _here(command: Callable[..., Coroutine[Any, Any, Any]], config_path: Path | None, *arguments: Any) -> Any:
    try:
        return asyncio.run(command(load(config_path), *arguments))
    except (ValueError, LookupError) as error:  # ConfigError is one
        raise click.ClickException(": ".join(map(str, error.args))) from None
