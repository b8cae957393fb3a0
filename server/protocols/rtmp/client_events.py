"""What a connection that calls out is for, and what it tells its owner."""

from dataclasses import dataclass
from enum import Enum

from server.protocols.rtmp.events import Media, Metadata


class Purpose(Enum):
    PUBLISH = "publish"
    PLAY = "play"


class Fault(Enum):
    """Whose word it is that a connection is over."""

    BROKEN = "broken"
    """A time limit, or what is no RTMP."""
    REFUSED = "refused"
    """The peer said no, before or in the middle: it will hardly say yes by itself."""
    ENDED = "ended"
    """The peer said that the stream it sends has ended."""


@dataclass(frozen=True, slots=True)
class Running:
    """The peer takes media, or is about to send it."""


@dataclass(frozen=True, slots=True)
class Over:
    """The connection is over, by the peer or for its faults. No event follows."""

    reason: str
    """A sentence for logs and people; no secrets in it."""
    fault: Fault


ClientEvent = Running | Media | Metadata | Over
