"""What a server says of a stream: the codes of its onStatus, and its words."""

from collections.abc import Mapping
from enum import Enum

from server.formats.amf0 import Value
from server.protocols.rtmp import command as commands

MAX_WORDS = 200  # characters of the peer's that are kept


class Verdict(Enum):
    """What a status means."""

    STARTED = "media may flow"
    ENDED = "the stream is over"
    REFUSED = "it won't be"


STATUS: Mapping[str, Verdict] = {
    commands.PUBLISH_START: Verdict.STARTED,
    commands.PLAY_START: Verdict.STARTED,
    commands.PUBLISH_BAD_NAME: Verdict.REFUSED,
    "NetStream.Publish.Denied": Verdict.REFUSED,
    "NetStream.Publish.Rejected": Verdict.REFUSED,
    commands.PLAY_NOT_FOUND: Verdict.REFUSED,
    "NetStream.Play.Failed": Verdict.REFUSED,
    commands.PLAY_STOP: Verdict.ENDED,
    "NetStream.Play.Complete": Verdict.ENDED,
    "NetStream.Play.UnpublishNotify": Verdict.ENDED,
    commands.UNPUBLISHED: Verdict.ENDED,
    commands.CONNECTION_CLOSED: Verdict.REFUSED,
    "NetConnection.Connect.Rejected": Verdict.REFUSED,
}
"""Code of onStatus → what it means; every other code is passed over."""


def verdict_of(info: Mapping[str, Value]) -> Verdict | None:
    """None: nothing follows from it. A level of "error" always refuses."""
    code = info.get("code")
    verdict = STATUS.get(code) if isinstance(code, str) else None
    return Verdict.REFUSED if info.get("level") == "error" else verdict


def words_of(info: Mapping[str, Value]) -> str:
    """The peer's words, with the code they come with."""
    parts = [info.get("code"), info.get("description") or info.get("details")]
    text = ": ".join(part for part in parts if isinstance(part, str) and part) or "the peer refused without a word"
    return "".join(character for character in text if character.isprintable())[:MAX_WORDS]
