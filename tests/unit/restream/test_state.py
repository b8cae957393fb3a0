"""The table of states."""

import pytest

from server.restream.state import TRANSITIONS, State, Status


def test_what_may_follow_what() -> None:
    status = Status()
    assert not status.move("idle")
    walk: list[State] = ["connecting", "broadcasting", "errored", "connecting", "errored", "idle"]
    for state in walk:
        assert status.move(state, "why")
    assert (status.state, status.reason) == ("idle", "why")
    with pytest.raises(ValueError, match="idle can't become broadcasting"):
        status.move("broadcasting")


def test_every_state_can_be_left_and_reached() -> None:
    assert all(TRANSITIONS[state] for state in TRANSITIONS)
    assert {after for row in TRANSITIONS.values() for after in row} == set(TRANSITIONS)
