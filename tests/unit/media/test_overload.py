"""When a rendition has to go, with the clock in the hand."""

from server.media.overload import BEHIND_S, PATIENCE_S, Overload

STEP_S = 0.125


def given_up(lags: list[float], step_s: float = STEP_S) -> list[int]:
    """Positions at which a rendition goes."""
    overload = Overload()
    return [at for at, lag in enumerate(lags) if overload.look(at * step_s, lag)]


def test_in_time() -> None:
    assert given_up([0.1, BEHIND_S] * 200) == []


def test_a_machine_too_slow_gives_one_up_after_its_patience() -> None:
    growing = [0.0625 * number for number in range(110)]  # half of real time
    patience = round(PATIENCE_S / STEP_S)
    assert given_up(growing) == [17 + patience, 17 + 2 * patience]


def test_behind_by_the_same_for_ever_is_too_slow() -> None:
    assert len(given_up([3.0] * 85)) == 2


def test_a_hiccup_is_caught_up_with() -> None:
    assert given_up([4.0 - 0.05 * number for number in range(80)]) == []
    assert given_up([4.0 - 0.01 * number for number in range(80)]) != []  # too slowly


def test_short_ones_do_not_add_up() -> None:
    assert given_up(([2.0] * 40 + [0.5]) * 10) == []


def test_what_was_given_up_gets_its_time_to_show() -> None:
    lags = [3.0] * 41 + [3.0 - 0.04 * number for number in range(50)]
    assert given_up(lags) == [40]
