"""The catalogue at the start: opened, brought up to date, with the owner's key and the secret of tokens in it."""

import secrets
import sys
from contextlib import AsyncExitStack

from server import log
from server.catalog import faults, keys
from server.catalog.database import Database, sqlite_url
from server.catalog.dialects import server_of
from server.catalog.models import DEFAULT_PROJECT
from server.config import Config, ConfigError
from server.playback.tokens import MIN_SECRET_BYTES
from server.storage import data_folder
from server.storage.layout import Layout

_log = log.get("server")


async def open_database(config: Config, layout: Layout, stack: AsyncExitStack) -> Database:
    """Raises ConfigError."""
    url = config.database.url or sqlite_url(layout.database)
    if not url.startswith(("sqlite", "postgres")):
        raise ConfigError("database.url: Sluice runs on SQLite and on PostgreSQL")
    try:
        database = await stack.enter_async_context(Database.open(url))
        await database.migrate()
    except Exception as error:
        _log.debug("the database can't be opened", exc_info=error)
        field = "database.url" if config.database.url else "database"
        raise ConfigError(f"{field}: {server_of(url)}{faults.reason(error)}") from error
    return database


async def open_known(config: Config, stack: AsyncExitStack) -> Database:
    """The database of a server that has run before; a command in the wrong folder must not make one. ConfigError."""
    layout = Layout(config.storage.path.resolve())
    if config.database.url is None and not layout.database.is_file():
        raise ConfigError(f"storage.path: no database in {layout.root}; start the server once, or name its folder")
    return await open_database(config, layout, stack)


async def prepare(config: Config, layout: Layout, database: Database) -> None:
    """The default project and, in an empty catalogue, the owner's key."""
    given = config.auth.owner_key.get_secret_value() if config.auth.owner_key else None
    async with database.write() as transaction:
        await keys.default_project(transaction)
        if given:
            if await keys.by_secret(transaction, given) is None:
                await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"], given)
            return
        if await keys.count(transaction):
            return
        _, secret = await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"])
        # before the commit: a key that is in the catalogue but nowhere else would lock its owner out
        data_folder.write_secret(layout.owner_key, secret)
    if sys.stderr.isatty():
        sys.stderr.write(f"The owner's API key, shown this once and kept in {layout.owner_key}: {secret}\n")
    _log.info("made the owner's API key", path=str(layout.owner_key))


async def token_secret(config: Config, database: Database) -> str:
    if secret := given_secret(config):
        return secret
    async with database.write() as transaction:
        return await keys.setting(transaction, "token_secret", secrets.token_urlsafe(48))


def given_secret(config: Config) -> str | None:
    """Raises ConfigError."""
    secret = config.auth.token_secret.get_secret_value() if config.auth.token_secret else None
    if secret is not None and len(secret.encode()) < MIN_SECRET_BYTES:
        raise ConfigError(f"auth.token_secret: shorter than {MIN_SECRET_BYTES} bytes")
    return secret
