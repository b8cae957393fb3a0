"""How far a job is, and when it will have ended; time is passed in."""

from datetime import timedelta

import pytest

from server.jobs.progress import LONGEST, Progress


@pytest.mark.parametrize(
    ("reports", "left_s"),
    [
        ([], None),
        ([(0.0, 100)], None),
        ([(0.0, 100), (0.5, 100.5)], None),  # too soon to tell
        ([(0.0, 100), (0.001, 160)], None),  # too little to tell
        ([(0.0, 100), (0.25, 110)], 30),
        ([(0.5, 100), (0.75, 110)], 10),  # a run that began in the middle
        ([(0.0, 100), (0.25, 110), (0.5, 140)], 40),
        ([(0.0, 100), (1.0, 110)], 0),
    ],
)
def test_what_is_left_follows_from_the_rate(reports: list[tuple[float, float]], left_s: float | None) -> None:
    progress = Progress()
    for fraction, now in reports:
        progress.report(fraction, None, now)

    assert progress.left == (None if left_s is None else timedelta(seconds=left_s))


def test_it_never_goes_back_nor_over_the_end() -> None:
    progress = Progress()
    seen = []
    for fraction in (0.5, 0.2, 7.0, 0.9):
        progress.report(fraction, None, 1)
        seen.append(progress.fraction)

    assert seen == [0.5, 0.5, 1.0, 1.0]


def test_a_message_stays_until_the_next_one() -> None:
    progress = Progress()
    assert not progress.unwritten
    progress.report(0.1, "reading", 1)
    progress.report(0.2, None, 2)

    assert progress.message == "reading"
    assert progress.unwritten


def test_an_end_far_off_has_a_limit() -> None:
    progress = Progress()
    progress.report(0, None, 0)
    progress.report(0.01, None, 1e9)

    assert progress.left == LONGEST
