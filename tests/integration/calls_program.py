"""A server of REST calls alone, to be killed and started again: `python -m … <database URL> [--die-after-commit]`.

Prints its port. Told to die, it kills itself when a video is committed, before anybody is answered.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Set

from server.catalog import keys
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT
from server.config import HttpConfig, LiveConfig
from server.playback.assets import Assets
from server.playback.revocations import Revocations
from server.playback.tokens import Tokens
from server.web import application
from server.web.auth import Credentials
from server.web.idempotency import Idempotency
from server.web.services import Services

SECRET = "a secret of at least thirty-two bytes"
OWNER_KEY = "the-owner's-key"
LIFE_S = 120.0


def die_of_a_video(changed: Set[str]) -> None:
    if any(id.startswith("vi") for id in changed):
        os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, dies: bool) -> None:
    async with Database.open(url) as database:
        await database.migrate()
        async with database.write() as transaction:
            await keys.default_project(transaction)
            if not await keys.count(transaction):
                await keys.create(transaction, DEFAULT_PROJECT, "owner", ["*"], OWNER_KEY)
        if dies:
            database.on_commit(die_of_a_video)
        services = Services(
            database, HttpConfig(), LiveConfig(), Credentials(database, SECRET), Tokens(SECRET), Assets(database),
            Revocations(database), Idempotency(database, SECRET),
        )  # fmt: skip
        async with application.serving(application.build(services), "127.0.0.1", 0) as port:
            sys.stdout.write(f"{port}\n")
            sys.stdout.flush()
            await asyncio.sleep(LIFE_S)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "--die-after-commit" in sys.argv))
