"""What a publisher may say when: the states of a connection, and what each command leads to in each.

    HANDSHAKE ─► CONNECTING ─connect─► CONNECTED ─publish─► ASKED ─accept_publish()─► PUBLISHING
                                                              │                           │
                                                              └─► ENDED ◄─────────────────┘
                                                    FCUnpublish, deleteStream, closeStream
    from anywhere: a refused command, reject_publish(), close(), an error, silence ─► CLOSED
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
    PLAY = "refuse: players use HTTP"
    TWICE = "refuse: one publication a connection"
    REFUSE = "refuse: not now"
    UNKNOWN = "answer that there is no such call"
    IGNORE = "do nothing"


OTHER = ""
"""The row of TABLE for every command without one."""


def _table() -> Mapping[str, Mapping[State, Action]]:
    a = Action
    columns = (State.CONNECTING, State.CONNECTED, State.ASKED, State.PUBLISHING, State.ENDED)
    rows = {
        "connect":       (a.CONNECT, a.REFUSE,  a.REFUSE,  a.REFUSE,  a.REFUSE),
        "releaseStream": (a.REFUSE,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "FCPublish":     (a.REFUSE,  a.PREPARE, a.PREPARE, a.RESULT,  a.RESULT),
        "createStream":  (a.REFUSE,  a.STREAM,  a.STREAM,  a.STREAM,  a.STREAM),
        "publish":       (a.REFUSE,  a.ASK,     a.TWICE,   a.TWICE,   a.TWICE),
        "FCUnpublish":   (a.REFUSE,  a.RESULT,  a.END,     a.END,     a.IGNORE),
        "deleteStream":  (a.REFUSE,  a.IGNORE,  a.END,     a.END,     a.IGNORE),
        "closeStream":   (a.REFUSE,  a.IGNORE,  a.END,     a.END,     a.IGNORE),
        "play":          (a.REFUSE,  a.PLAY,    a.PLAY,    a.PLAY,    a.PLAY),
        "play2":         (a.REFUSE,  a.PLAY,    a.PLAY,    a.PLAY,    a.PLAY),
        "_checkbw":      (a.IGNORE,  a.RESULT,  a.RESULT,  a.RESULT,  a.RESULT),
        "_result":       (a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        "_error":        (a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        "onStatus":      (a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE,  a.IGNORE),
        OTHER:           (a.REFUSE,  a.UNKNOWN, a.UNKNOWN, a.UNKNOWN, a.UNKNOWN),
    }
    return {name: dict(zip(columns, row, strict=True)) for name, row in rows.items()}


TABLE = _table()
"""Command × state → action."""
