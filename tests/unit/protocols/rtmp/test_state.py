from server.protocols.rtmp.connection import _ACTIONS
from server.protocols.rtmp.state import OTHER, TABLE, Action, State


def test_every_command_has_an_action_in_every_state() -> None:
    states = set(State) - {State.HANDSHAKE, State.CLOSED}

    assert all(set(row) == states for row in TABLE.values())
    assert OTHER in TABLE


def test_every_action_is_used_and_has_a_method() -> None:
    assert {action for row in TABLE.values() for action in row.values()} == set(Action) == set(_ACTIONS)


def test_only_connect_leads_out_of_connecting() -> None:
    allowed = {name for name, row in TABLE.items() if row[State.CONNECTING] not in (Action.REFUSE, Action.IGNORE)}

    assert allowed == {"connect"}
