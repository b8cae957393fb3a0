"""What a caller's handshake leads to: the states of a call, and what each answer does in each.

    CALLING ─induction─► CONCLUDING ─conclusion─► CONNECTED
       └──────── refusal, time limit, close() ────────┴─► CLOSED

A listener has no such states: it keeps nothing before the conclusion, and afterwards a request or a connection.
"""

from collections.abc import Mapping
from enum import Enum

from server.protocols.srt import handshake
from server.protocols.srt.reject import WIRE_OFFSET


class State(Enum):
    """Columns of TABLE."""

    CALLING = "calling"
    CONCLUDING = "concluding"
    CONNECTED = "connected"
    CLOSED = "closed"


class Answer(Enum):
    """Rows of TABLE."""

    INDUCTION = "induction"
    CONCLUSION = "conclusion"
    REFUSAL = "refusal"
    OTHER = "other"


class Action(Enum):
    """What an answer leads to; the methods are in caller.py."""

    CONCLUDE = "send the conclusion with the cookie"
    CONNECT = "agree"
    GIVE_UP = "tell the owner why"
    IGNORE = "do nothing"


def kind_of(handshake_type: int) -> Answer:
    """The row of an answer, by the type field."""
    match handshake_type:
        case handshake.INDUCTION:
            return Answer.INDUCTION
        case handshake.CONCLUSION:
            return Answer.CONCLUSION
        case _ if WIRE_OFFSET <= handshake_type < 0x8000_0000:
            return Answer.REFUSAL
        case _:
            return Answer.OTHER


def _table() -> Mapping[Answer, Mapping[State, Action]]:
    a = Action
    columns = (State.CALLING, State.CONCLUDING, State.CONNECTED, State.CLOSED)
    rows = {
        Answer.INDUCTION:  (a.CONCLUDE, a.IGNORE,  a.IGNORE, a.IGNORE),
        Answer.CONCLUSION: (a.IGNORE,   a.CONNECT, a.IGNORE, a.IGNORE),
        Answer.REFUSAL:    (a.GIVE_UP,  a.GIVE_UP, a.IGNORE, a.IGNORE),
        Answer.OTHER:      (a.IGNORE,   a.IGNORE,  a.IGNORE, a.IGNORE),
    }
    return {answer: dict(zip(columns, row, strict=True)) for answer, row in rows.items()}


TABLE = _table()
"""Answer × state → action."""
