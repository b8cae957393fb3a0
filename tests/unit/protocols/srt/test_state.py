import pytest

from server.protocols.srt.state import TABLE, Action, Answer, State, kind_of


def test_the_table_is_whole() -> None:
    assert set(TABLE) == set(Answer)
    assert all(set(row) == set(State) for row in TABLE.values())


def test_nothing_happens_once_it_is_over() -> None:
    assert {row[State.CLOSED] for row in TABLE.values()} == {row[State.CONNECTED] for row in TABLE.values()}
    assert {row[State.CLOSED] for row in TABLE.values()} == {Action.IGNORE}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (1, Answer.INDUCTION),
        (0xFFFF_FFFF, Answer.CONCLUSION),
        (1000, Answer.REFUSAL),
        (2404, Answer.REFUSAL),
        (0, Answer.OTHER),
        (0xFFFF_FFFE, Answer.OTHER),
        (999, Answer.OTHER),
    ],
)
def test_answers_by_their_type(number: int, kind: Answer) -> None:
    assert kind_of(number) is kind
