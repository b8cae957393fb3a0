"""What commands that call the API have in common: where the server is, the key, and how answers are shown."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from server import config as settings
from server import log
from server.client.api import Api
from server.client.refusals import Refused
from server.config import Config, ConfigError
from server.storage.layout import Layout

F = TypeVar("F", bound=Callable[..., Any])

CONFIG_OPTION = click.option(
    "--config", "config_path", type=click.Path(dir_okay=False, path_type=Path), help="TOML file of settings."
)
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="Print the API's answer as JSON.")
_SERVER_OPTIONS = (
    CONFIG_OPTION,
    click.option(
        "--url", envvar="SLUICE_URL", help="Of the server; by default the one of the settings, on this machine."
    ),
    click.option("--key", envvar="SLUICE_KEY", help="API key; by default the owner's, from the data folder."),
)


class Failed(click.ClickException):
    """Sentences on standard error, and the exit code 1."""

    def show(self, file: Any = None) -> None:
        for line in self.message.splitlines() or [""]:
            click.echo(f"Error: {line}", file=file, err=True)


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_SERVER_OPTIONS):
        command = option(command)
    return command


def calls_api(command: F) -> Callable[..., Any]:
    """A command whose first argument is the API that the options name; what it refuses becomes sentences."""

    @functools.wraps(command)
    def run(config_path: Path | None, url: str | None, key: str | None, **others: Any) -> Any:
        with failures():
            return command(api(load(config_path), url, key), **others)

    return server_options(run)


class failures:  # noqa: N801  # a statement: with failures(): …
    """What is refused, or can't be reached, ends the command with sentences."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Refused | ConnectionError):
            raise Failed(str(error)) from None


def api(config: Config, url: str | None, key: str | None) -> Api:
    """By default the server of the configuration, with its owner's key."""
    if url is None:
        host = "127.0.0.1" if config.http.host in ("0.0.0.0", "::", "") else config.http.host
        url = config.http.public_url or f"http://{f'[{host}]' if ':' in host else host}:{config.http.port}"
    return Api(url, key or _owner_key(config))


def _owner_key(config: Config) -> str:
    given, path = config.auth.owner_key, Layout(config.storage.path.resolve()).owner_key
    if given:
        return given.get_secret_value()
    try:
        return path.read_text().strip()
    except OSError:
        raise Failed(f"Give an API key by --key or SLUICE_KEY: the owner's is not in {path}.") from None


def load(path: Path | None) -> Config:
    try:
        config = settings.load(path)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    log.configure(config.log.level, config.log.format)
    return config


def pairs(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> list[dict[str, str]]:
    """Of options such as `--metadata key=value`."""
    found = []
    for text in given:
        key, sign, value = text.partition("=")
        if not key or not sign:
            raise click.BadParameter(f"{text} should be KEY=VALUE.")
        found.append({"key": key, "value": value})
    return found


def stated(**values: Any) -> dict[str, Any]:
    """The attributes that options stated, under the API's names; click gives tuples for those that may be repeated."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return {camel(name): value for name, value in lists.items() if value is not None and value != []}


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def sure(what: str, yes: bool) -> None:
    """Asks, unless --yes was given; ends the command where nobody says so."""
    if not yes:
        click.confirm(f"Delete {what}?", abort=True, err=True)
