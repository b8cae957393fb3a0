"""What a peer did, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from server.formats.amf0 import Value
from server.protocols.rtmp.message import AUDIO, VIDEO

__all__ = [
    "AUDIO", "VIDEO", "Closed", "Event", "Media", "Metadata", "PlayRequested", "PublishEnded", "PublishRequested",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class PublishRequested:
    """Answer it with accept_publish() or reject_publish(), at once or later. `key` is a secret."""

    app: str
    key: str
    query: str
    """What followed the "?" of the key (or of the app), not decoded."""

    def __repr__(self) -> str:
        return f"PublishRequested(app={self.app!r})"


@dataclass(frozen=True, slots=True)
class PlayRequested:
    """Answer it with accept_play() or reject_play(), at once or later. `name` and `query` may be secrets."""

    app: str
    name: str
    query: str
    """What followed the "?" of the name (or of the app), not decoded."""

    def __repr__(self) -> str:
        return f"PlayRequested(app={self.app!r})"


class Media(NamedTuple):
    """A tuple and not a dataclass because one is made for every audio and video message."""

    kind: int
    """AUDIO or VIDEO, the RTMP message types."""
    timestamp: int
    """Milliseconds modulo 2^32, as sent: unwrapping them is the timeline's work."""
    payload: bytes
    """The body of an FLV tag, never empty; see formats/flv."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """onMetaData. For people and logs: it is often wrong about codecs, sizes and rates."""

    properties: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class PublishEnded:
    """The publisher, or the player, said that it is done; a connection that ends without this was lost."""

    reason: str
    """The command that said so: FCUnpublish, deleteStream or closeStream."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is over: send what is left, then close it. No event follows."""

    reason: str
    """A sentence for the log; no secrets in it."""
    flush: bool
    """A refusal is on its way: close CLOSE_DELAY_S later, so that the peer reads it before the end."""


Event = PublishRequested | PlayRequested | Media | Metadata | PublishEnded | Closed
