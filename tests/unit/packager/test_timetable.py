"""Where the master's segments are, for tracks that come later."""

from server.packager.timetable import KEPT, MasterSegment, Timetable

SECOND = 90_000


def timetable(count: int, *, generation_of: int = 1000, is_open: bool = True) -> Timetable:
    """Segments of two seconds; a new generation begins every so many, ten seconds later."""
    made = Timetable()
    for msn in range(count):
        generation = msn // generation_of
        start = (2 * msn + 10 * generation) * SECOND
        made.begin(MasterSegment(msn, generation, generation, SECOND, 1000 + msn, start))
        if not is_open or msn + 1 < count:
            made.close(start + 2 * SECOND)
    return made


def test_a_number_is_found_while_it_is_kept() -> None:
    made = timetable(KEPT + 5)
    assert made.get(4) is None
    assert made.get(KEPT + 5) is None
    found = made.get(7)
    assert found is not None
    assert (found.msn, found.epoch_ms) == (7, 1007)
    assert Timetable().get(0) is None


def test_the_segment_that_holds_a_time_and_those_after_it() -> None:
    made = timetable(6, generation_of=4)
    assert [segment.msn for segment in made.since(0, 3 * 48_000, 48_000)] == [1, 2, 3]
    assert [segment.msn for segment in made.since(0, 4 * SECOND, SECOND)] == [2, 3]
    assert [segment.msn for segment in made.since(0, 9 * SECOND, SECOND)] == []
    assert [segment.msn for segment in made.since(1, 100 * SECOND, SECOND)] == [5]  # it is open
    assert made.since(2, 0, SECOND) == []


def test_what_ended_too_long_ago_is_overdue() -> None:
    assert timetable(10).overdue(8) == 4  # nine are closed, up to 18 s: that of 8 to 10 s may still come
    assert timetable(3).overdue(8) == 0
    assert timetable(6, generation_of=4).overdue(8) == 4  # the time between two generations counts
    assert Timetable().overdue(8) == 0


def test_an_open_segment_that_comes_to_nothing_is_forgotten() -> None:
    made = timetable(3)
    made.cancel()
    made.cancel()
    assert made.get(2) is None
    assert made.get(1) is not None
    Timetable().cancel()
