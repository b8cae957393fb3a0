"""The tools as a server of the protocol's official library, whichever way its messages come."""

import json
from collections.abc import Callable
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from pydantic import ValidationError

from server.client.api import Unreachable
from server.client.refusals import Refused
from server.mcp.rest import Rest
from server.mcp.tools import TOOLS, Tool

ANSWER_CHARS = 60_000  # of JSON; what is longer would fill a model's memory, and is refused with a way out
INSTRUCTIONS = (
    "Sluice is a video server: a library of videos, and live streams. Ids of videos begin with vi, those of live "
    "streams with li. What a tool may do is up to the API key: where it lacks a scope, the answer says which."
)
Context = ServerRequestContext[Any, Any]


def assistant(version: str, rest_of: Callable[[Context], Rest]) -> Server[Any]:
    """`rest_of` gives the API as the caller of a request may use it."""

    async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(tool) for tool in TOOLS.values()])

    async def call_tool(context: Context, asked: types.CallToolRequestParams) -> types.CallToolResult:
        return await called(rest_of(context), asked.name, asked.arguments or {})

    return Server(
        "sluice",
        version=version,
        title="Sluice",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def called(rest: Rest, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
    """What a tool answers; whatever it can't do is a result too, in words that a model can act on."""
    tool = TOOLS.get(name)
    if tool is None:
        return _failure(f"There is no tool {name[:64]}.")
    try:
        asked = tool.takes.model_validate(arguments)
        found = await tool.run(rest, asked)
    except ValidationError as error:
        return _failure("\n".join(_fault(one["loc"], one["msg"]) for one in error.errors(include_url=False)[:20]))
    except (Refused, Unreachable) as refusal:
        return _failure(str(refusal))
    text = json.dumps(found, ensure_ascii=False)
    if len(text) > ANSWER_CHARS:
        return _failure(f"The answer has {len(text)} characters: ask for less, such as with a smaller pageSize.")
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], structured_content=found)


def _described(tool: Tool) -> types.Tool:
    scopes = " and ".join(tool.scopes)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=f"{tool.description} Needs the scope {scopes}.",
        input_schema=tool.takes.model_json_schema(),
        annotations=types.ToolAnnotations(
            title=tool.title, read_only_hint=tool.reads, destructive_hint=False, open_world_hint=False
        ),
    )


def _fault(place: tuple[int | str, ...], said: str) -> str:
    return f"{'.'.join(map(str, place))}: {said}" if place else said


def _failure(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
