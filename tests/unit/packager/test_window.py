"""The live window: what it has, what it forgets, who waits."""

from dataclasses import dataclass

import pytest

from server.packager.window import BYTES_KEPT_AT_MOST, Window


@dataclass
class File:
    written: bool = True
    failed: bool = False


def window(target_duration_s: int = 4, dvr_window_s: float = 60, **options: object) -> Window:
    return Window(target_duration_s, dvr_window_s, **options)  # type: ignore[arg-type]


def add_segment(
    window: Window,
    *,
    seconds: float = 2.0,
    parts: int = 4,
    generation: int = 0,
    file: File | None = None,
    close: bool = True,
    independent: bool = True,
    payload: bytes = b"part",
) -> File:
    file = file or File()
    start = round(window.end_s * 1000)
    segment = window.begin_segment(start, 1000, start, generation, file)
    for index in range(parts):
        end = start + round(seconds * 1000 * (index + 1) / parts)
        segment.add(payload, end, independent and index == 0)
    if close:
        window.close_segment()
    return file


def test_segments_are_numbered_and_timed() -> None:
    live = window(first_msn=7)
    add_segment(live)
    add_segment(live, seconds=3)

    assert [(entry.msn, entry.start, entry.duration) for entry in live.closed] == [(7, 0, 2000), (8, 2000, 3000)]
    assert (live.first_msn, live.next_msn, live.duration_s, live.end_s) == (7, 9, 5.0, 5.0)


def test_parts_lie_one_after_the_other() -> None:
    live = window()
    segment = live.begin_segment(100, 1000, 0, 0, File())
    segment.add(b"abc", 400, True)
    segment.add(b"de", 700, False)
    assert segment.parts == [(300, True, 0, 3), (300, False, 3, 2)]
    assert live.end_s == 0.6

    live.close_segment()
    assert live.parts(0) == ((300, True, 0, 3), (300, False, 3, 2))
    assert live.payloads(0) == (b"abc", b"de")


@pytest.mark.parametrize(
    ("msn", "part", "there"),
    [
        (0, None, True),
        (0, 0, True),
        (1, None, True),
        (1, 3, True),
        (1, 4, True),  # past the end of segment 1: part 0 of the next
        (2, None, False),
        (2, 0, True),
        (2, 1, True),
        (2, 2, False),
        (3, None, False),
        (3, 0, False),
    ],
)
def test_what_the_playlist_has(msn: int, part: int | None, there: bool) -> None:
    live = window()
    add_segment(live)
    add_segment(live)
    add_segment(live, parts=2, close=False)
    assert live.has(msn, part) == there


def test_a_part_past_the_end_of_the_last_segment_waits_for_the_next() -> None:
    live = window()
    add_segment(live)
    assert not live.has(0, 4)
    add_segment(live, parts=1, close=False)
    assert live.has(0, 4)


def test_without_parts_only_whole_segments_are_there() -> None:
    live = window(low_latency=False)
    add_segment(live)
    add_segment(live, parts=2, close=False)
    assert live.has(0, 3)
    assert not live.has(1, 0)


def test_the_last_part() -> None:
    live = window()
    assert live.last == (-1, None)
    add_segment(live)
    assert live.last == (0, 3)
    add_segment(live, parts=1, close=False)
    assert live.last == (1, 0)


def test_a_waiter_is_called_once_by_the_next_publication() -> None:
    live = window()
    called: list[int] = []
    live.subscribe(lambda: called.append(1))
    cancel = live.subscribe(lambda: called.append(2))
    assert live.waiters == 2

    cancel()
    assert live.waiters == 1
    live.publish()
    live.publish()
    assert called == [1]
    assert (live.version, live.waiters) == (2, 0)


def test_a_waiter_may_wait_again_from_its_call() -> None:
    live = window()
    live.subscribe(lambda: live.subscribe(lambda: None) and None)
    live.publish()
    assert live.waiters == 1


def test_old_segments_leave_the_window() -> None:
    live = window(dvr_window_s=20)
    gone = []
    for _ in range(15):
        add_segment(live)
        gone += live.trim()
    assert [entry.msn for entry in gone] == [0, 1, 2, 3, 4]
    assert (live.first_msn, live.duration_s) == (5, 20.0)
    assert live.segment(4) is None
    assert live.segment(5) == live.closed[0]


def test_the_window_is_never_shorter_than_three_target_durations() -> None:
    live = window(dvr_window_s=1)
    for _ in range(15):
        add_segment(live)
        live.trim()
    assert live.duration_s == 12.0


def test_a_discontinuity_that_leaves_is_counted() -> None:
    live = window(dvr_window_s=12)
    for generation in (0, 1, 1, 2, 2, 2, 2, 2, 2):
        add_segment(live, generation=generation)
        live.trim()
    assert [entry.discontinuity for entry in live.closed] == [True, False, False, False, False, False]
    assert (live.first_msn, live.discontinuity_sequence) == (3, 1)


def test_bytes_go_when_they_are_old_and_on_disk() -> None:
    live = window()
    slow = File(written=False)
    add_segment(live, file=slow)
    for _ in range(5):
        add_segment(live)
        live.trim()
    assert live.payloads(0)  # the disk has not got it yet
    assert not live.payloads(1)
    assert live.payloads(5)
    assert live.parts(1)  # but its parts are known, to be read from the file

    slow.written = True
    live.trim()
    assert not live.payloads(0)


def test_bytes_go_earlier_when_there_are_too_many() -> None:
    live = window()
    payload = bytes(BYTES_KEPT_AT_MOST // 8 + 1)
    for _ in range(3):
        add_segment(live, payload=payload)
        live.trim()
    assert [bool(live.payloads(msn)) for msn in range(3)] == [False, False, True]


def test_parts_are_forgotten_after_six_target_durations() -> None:
    live = window()
    for _ in range(20):
        add_segment(live)
        live.trim()
    assert [msn for msn in range(20) if live.parts(msn)] == list(range(7, 20))


def test_a_segment_that_the_disk_refused_becomes_a_gap_when_memory_lets_it_go() -> None:
    live = window()
    add_segment(live, file=File(written=False, failed=True))
    for count in range(8):
        add_segment(live)
        live.trim()
        gap = live.closed[0].gap
        assert gap == (count >= 6)  # more than three target durations
    assert live.rewrites == 1


def test_a_gap_takes_its_number_and_its_time() -> None:
    live = window()
    add_segment(live)
    live.add_gap(2000, 2000, 1000, 2000, 1)
    add_segment(live, generation=1)
    assert [(entry.msn, entry.gap, entry.discontinuity) for entry in live.closed] == [
        (0, False, False), (1, True, True), (2, False, False),
    ]  # fmt: skip
    assert live.duration_s == 6.0


def test_independence_is_of_all_segments_in_the_window() -> None:
    live = window(dvr_window_s=12)
    add_segment(live)
    assert live.independent
    add_segment(live, independent=False, close=False)
    assert not live.independent
    live.close_segment()
    for _ in range(7):
        add_segment(live)
        live.trim()
    assert live.independent


def test_what_a_restart_found_is_taken_up() -> None:
    before = window()
    for generation in (0, 0, 3):
        add_segment(before, generation=generation)
    after = window(first_msn=0)
    after.restore(list(before.closed))
    add_segment(after, generation=4)

    assert after.closed[-1].msn == 3
    assert after.closed[-1].discontinuity
    assert after.has(2, 0)
