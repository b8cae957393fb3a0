"""`sluice mcp`."""

import asyncio
from importlib.metadata import version

import click

from server.cli.options import calls_api
from server.client.api import Api


@click.command()
@calls_api
def mcp(api: Api) -> None:
    """Give an assistant tools over standard input and output (Model Context Protocol), with the key's scopes."""
    from server.mcp.stdio import serve

    asyncio.run(serve(api, version("sluice")))
