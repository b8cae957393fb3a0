"""Part targets that every part can keep to."""

from itertools import pairwise

import pytest

from server.packager.part_target import PartTarget, audio_part_target, video_part_target

RATES = [60, 59.94, 50, 30, 29.97, 25, 24, 23.976, 20, 15, 12.5, 12, 10, 8, 5, 2, 1]
WANTED_S = {"ultra-low": 0.2, "low": 1 / 3, "reduced": 1.0}


def durations(rate: float, count: int = 20) -> list[int]:
    """Of pictures whose timestamps are whole milliseconds, in 90 kHz."""
    times = [int(index * 1000 / rate) * 90 for index in range(count + 1)]
    return [after - before for before, after in pairwise(times)]


@pytest.mark.parametrize("mode", WANTED_S)
@pytest.mark.parametrize("rate", RATES)
def test_parts_of_whole_frames_are_legal(mode: str, rate: float) -> None:
    target = video_part_target(round(WANTED_S[mode] * 90_000), 90_000, durations(rate))
    frames = max(1, round(target.nominal / (90_000 / rate)))
    shortest, longest = int(frames * 1000 / rate - 1) * 90, int(frames * 1000 / rate + 1) * 90

    assert target.shortest <= shortest or frames == 1
    assert longest <= target.longest


@pytest.mark.parametrize(
    ("mode", "rate", "target_ms"),
    [
        ("low", 30, 368),
        ("low", 25, 362),
        ("low", 60, 386),
        ("low", 15, 336),
        ("ultra-low", 30, 202),
        ("reduced", 30, 1168),
    ],
)
def test_the_target_is_the_longest_number_of_frames_that_leaves_the_wanted_one_legal(
    mode: str, rate: float, target_ms: int
) -> None:
    target = video_part_target(round(WANTED_S[mode] * 90_000), 90_000, durations(rate))
    assert target.longest == pytest.approx(target_ms * 90, abs=90)


def test_a_picture_left_out_does_not_count() -> None:
    steady = video_part_target(30_000, 90_000, durations(30, 9))
    assert video_part_target(30_000, 90_000, [*durations(30, 8), 6000]) == pytest.approx(steady, abs=180)


def test_without_pictures_the_wanted_length_is_taken() -> None:
    assert video_part_target(30_000, 90_000, []).nominal == 30_000


def test_one_long_picture_does_not_stretch_the_target_without_end() -> None:
    assert video_part_target(30_000, 90_000, [270_000]).longest <= 1_200 * 90


@pytest.mark.parametrize(
    ("wanted_s", "rate", "frames"), [(1 / 3, 48_000, 16), (1 / 3, 44_100, 15), (0.2, 48_000, 10), (0.01, 48_000, 1)]
)
def test_sound_has_room_for_a_frame_more_than_wanted(wanted_s: float, rate: int, frames: int) -> None:
    target = audio_part_target(round(wanted_s * rate), 1024)
    assert target.longest == frames * 1024
    assert target.nominal <= target.longest


def test_the_shortest_is_85_percent_rounded_up() -> None:
    assert PartTarget(30_000, 30_001).shortest == 25_501
