"""What the dialect has and a server of one's own does not: each operation says so in a sentence, under 501."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence

from server.errors import Problem
from server.web.kinescope.identifiers import kinescope_operations
from server.web.typed import Call

ROOMS = "There are no rooms to speak in here: a live event takes RTMP and SRT from whatever program people meet in."
AVATARS = "There are no users with pictures here: API keys have names."
MODERATORS = "Live events have no chat here, so that nobody moderates one."
CHAT = "Live events have no chat here."

_ROOM, _PERSON = "/v1/speak/rooms", "/v1/speak/rooms/{room_id}/participants"
_CHAT = "/v2/live/events/{event_id}/stream/{stream_id}/chat"

# sentence -> (method, path, what it would do)
TABLE: Mapping[str, Sequence[tuple[str, str, str]]] = {
    ROOMS: (
        ("GET", _ROOM, "List rooms"),
        ("POST", _ROOM, "Make a room"),
        ("GET", _ROOM + "/{room_id}", "Show a room"),
        ("PATCH", _ROOM + "/{room_id}", "Change a room"),
        ("DELETE", _ROOM + "/{room_id}", "Delete a room"),
        ("GET", _PERSON, "List participants"),
        ("POST", _PERSON, "Add a participant"),
        ("GET", _PERSON + "/{participant_id}", "Show a participant"),
        ("PATCH", _PERSON + "/{participant_id}", "Change a participant"),
        ("DELETE", _PERSON + "/{participant_id}", "Remove a participant"),
    ),
    AVATARS: (
        ("GET", "/v1/user/avatar/{avatar_id}", "Show a user's avatar"),
        ("POST", "/v1/avatar", "Set an avatar"),
        ("DELETE", "/v1/avatar", "Delete an avatar"),
        ("GET", "/v1/workspace/avatar/{avatar_id}", "Show a workspace's avatar"),
    ),
    MODERATORS: (
        ("GET", "/v1/moderators", "List moderators"),
        ("POST", "/v1/moderators", "Add a moderator"),
        ("GET", "/v1/moderators/{moderator_id}", "Show a moderator"),
        ("PUT", "/v1/moderators/{moderator_id}", "Change a moderator"),
        ("DELETE", "/v1/moderators/{moderator_id}", "Delete a moderator"),
    ),
    CHAT: tuple(("GET", _CHAT + ending, "Show a chat") for ending in ("", ".json", ".csv", ".txt")),
}

operations = kinescope_operations("Not offered")


def _refusal(sentence: str, path: str) -> Callable[..., Awaitable[None]]:
    """A handler that takes what its path names."""

    async def refuse(call: Call, **_: str) -> None:
        raise Problem("not-implemented", sentence)

    names = ["call", *re.findall(r"{(\w+)}", path)]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    refuse.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    refuse.__doc__ = sentence
    return refuse


for _sentence, _rows in TABLE.items():
    for _method, _path, _summary in _rows:
        _declare = operations.declare(_method, _path, _summary, scope="account:read", errors=["not-implemented"])
        _declare(_refusal(_sentence, _path))
