"""The tools over standard input and output, for assistants that run on the machine of whoever uses them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from mcp.server.stdio import stdio_server

from server.client.api import Api
from server.mcp.assistant import assistant


class Afar:
    """The API of a server elsewhere; its calls, which wait, in threads."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @property
    def base_url(self) -> str:
        return self._api.url.rstrip("/")

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> Any:
        return await asyncio.to_thread(self._api.call, method, path, body, query)


async def serve(api: Api, version: str) -> None:
    """Until standard input ends."""
    rest = Afar(api)
    server = assistant(version, lambda _: rest)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
