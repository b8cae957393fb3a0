"""What the health of a live stream says of its renditions."""

from typing import Annotated

from aiohttp import web
from pydantic import Field

from server.ladder.ladders import Ladders
from server.ladder.live_ladder import LiveLadder
from server.web.shapes import Answer

LADDERS = web.AppKey("ladders", Ladders)


class LadderHealth(Answer):
    """Lower renditions that are made of the picture as it comes."""

    renditions: list[str]
    given_up: Annotated[list[str], Field(description="Until the next broadcast; warned of too.")]
    transcoding: Annotated[bool, Field(description="False while the transcoder is being started again.")]
    behind: Annotated[float, Field(description="Seconds, of the slowest.")]
    dropped: Annotated[int, Field(description="Pictures left out because the transcoder had no room.")]
    damaged: Annotated[int, Field(description="Pictures that could not be decoded.")]


def ladder_health(app: web.Application, broadcast_id: str | None) -> LadderHealth | None:
    """None: the broadcast is shown as it comes."""
    ladders = app.get(LADDERS)
    ladder = ladders.get(broadcast_id) if ladders and broadcast_id else None
    return _answer(ladder) if ladder else None


def _answer(ladder: LiveLadder) -> LadderHealth:
    return LadderHealth(
        renditions=list(ladder.renditions),
        given_up=sorted(ladder.given_up),
        transcoding=ladder.transcoding,
        behind=round(ladder.behind_s, 2),
        dropped=ladder.dropped,
        damaged=ladder.damaged,
    )
