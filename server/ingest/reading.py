"""Who may read a broadcast out as it is, by a stream key, or by the live stream's id with a playback token."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from server.catalog import live_streams
from server.catalog.database import Database
from server.errors import Problem
from server.ingest.broadcasts import Broadcasts
from server.ingest.on_air import OnAir, Refused

# Live stream id in any spelling, playback token, address → the id, None for a token that does not open it.
MayWatch = Callable[[str, str, str], Awaitable[str | None]]


class Reading:
    """The door for players of protocols that publishers speak too."""

    def __init__(self, database: Database, broadcasts: Broadcasts, may_watch: MayWatch) -> None:
        self._database = database
        self._broadcasts = broadcasts
        self._may_watch = may_watch

    async def find(self, name: str, query: str, address: str) -> OnAir:
        """What a player asks for: `name` is a key, or an id where the query has a `token`. Raises Refused."""
        given = parse_qs(query)
        token = (given.get("token") or given.get("avh") or [""])[0]
        live_stream_id = await self._opened(name, token, address) if token else await self._by_key(name)
        if live_stream_id is None:
            raise Refused("the token does not open this" if token else "unknown stream key")
        on_air = self._broadcasts.get(live_stream_id)
        if on_air is None or on_air.state == "ended":
            raise Refused("the live stream is not on air")
        return on_air

    async def _opened(self, name: str, token: str, address: str) -> str | None:
        try:
            return await self._may_watch(name, token, address)
        except Problem as problem:
            raise Refused(problem.detail or problem.row.title) from None

    async def _by_key(self, key: str) -> str | None:
        async with self._database.read() as transaction:
            live = await live_streams.by_key(transaction, key)
        return live.id if live else None
