"""What a peer may say when: the states of a connection, and what each command leads to in each.

    HANDSHAKE ─► CONNECTING ─connect─► CONNECTED ─publish─► ASKED ─accept_publish()─► PUBLISHING
                                           │                  │                           │
                                           │                  └─► ENDED ◄─────────────────┤
                                           │               FCUnpublish, deleteStream, closeStream
                                           └─play─► PLAY_ASKED ─accept_play()─► PLAYING ──┘
    from anywhere: a refused command, reject_publish(), reject_play(), close(), an error, silence ─► CLOSED
"""

from collections.abc import Mapping
from enum import Enum


class State(Enum):
    """Columns of TABLE, but for the first and the last: there are no commands before or after."""

    HANDSHAKE = "handshake"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ASKED = "asked"
    PUBLISHING = "publishing"
    PLAY_ASKED = "asked to play"
    PLAYING = "playing"
    ENDED = "ended"
    CLOSED = "closed"


class Action(Enum):
    """What a command leads to; the methods are in _ACTIONS."""

    CONNECT = "answer with our capabilities"
    RESULT = "answer that it was done"
    PREPARE = "answer FCPublish, and promise onFCPublish"
    STREAM = "answer with the number of the message stream"
    ASK = "ask the caller whether this may be published"
    END = "end the publication"
    LENGTH = "answer that it has no length"
    PLAY = "ask the caller whether this may be played"
    TWICE = "refuse: one stream a connection"
    REFUSE = "refuse: not now"
    UNKNOWN = "answer that there is no such call"
    IGNORE = "do nothing"


OTHER = ""
"""The row of TABLE for every command without one."""


def _table() -> Mapping[str, Mapping[State, Action]]:
    a = Action
    columns = (
        State.CONNECTING, State.CONNECTED, State.ASKED, State.PUBLISHING, State.PLAY_ASKED, State.PLAYING, State.ENDED,
    )  # fmt: skip
    rows = {
        "connect":         (a.CONNECT, a.REFUSE,  a.REFUSE,  a.REFUSE,  a.REFUSE,  a.REFUSE,  a.REFUSE),
        "releaseStream":   (a.REFUSE,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "FCPublish":       (a.REFUSE,  a.PREPARE, a.PREPARE, a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "createStream":    (a.REFUSE,  a.STREAM,  a.STREAM,  a.STREAM,  a.STREAM,  a.STREAM,  a.STREAM),
        "publish":         (a.REFUSE,  a.ASK,     a.TWICE,   a.TWICE,   a.TWICE,   a.TWICE,   a.TWICE),
        "FCUnpublish":     (a.REFUSE,  a.RESULT,  a.END,     a.END,     a.RESULT,  a.RESULT,  a.IGNORE),
        "deleteStream":    (a.REFUSE,  a.IGNORE,  a.END,     a.END,     a.END,     a.END,     a.IGNORE),
        "closeStream":     (a.REFUSE,  a.IGNORE,  a.END,     a.END,     a.END,     a.END,     a.IGNORE),
        "FCSubscribe":     (a.REFUSE,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "getStreamLength": (a.REFUSE,  a.LENGTH,  a.LENGTH,  a.LENGTH,  a.LENGTH,  a.LENGTH,  a.LENGTH),
        "play":            (a.REFUSE,  a.PLAY,    a.TWICE,   a.TWICE,   a.TWICE,   a.TWICE,   a.TWICE),
        "pause":           (a.REFUSE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        "receiveAudio":    (a.REFUSE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        "receiveVideo":    (a.REFUSE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        "_checkbw":        (a.IGNORE,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "_result":         (a.IGNORE,) * 7,
        "_error":          (a.IGNORE,) * 7,
        "onStatus":        (a.IGNORE,) * 7,
        OTHER:             (a.REFUSE,) + (a.UNKNOWN,) * 6,
    }
    return {name: dict(zip(columns, row, strict=True)) for name, row in rows.items()}


TABLE = _table()
"""Command × state → action."""
