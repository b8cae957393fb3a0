"""Where frames of sound are laid: jitter, drift, holes, frames whose length only they know."""

import pytest

from server.formats.aac import audio_config
from server.formats.opus import OpusHead, track
from server.formats.sample import AudioConfig
from server.stream.grid import AudioGrid

AUDIO = audio_config(bytes.fromhex("1190"))  # 48 kHz stereo
AC3 = AudioConfig("ac-3", 48_000, 6, 1536, b"")
OPUS = track(OpusHead.of(2))


def lay(grid: AudioGrid, *times_ms: float) -> list[int]:
    """The number of silent frames before each, or LATE."""
    answers = []
    for ms in times_ms:
        silent = grid.place(round(ms * 48))
        answers.append(silent)
        if silent != AudioGrid.LATE:
            for _ in range(silent):
                grid.lay_silence()
            grid.lay(b"x")
    return answers


FRAME_MS = 1024 / 48


def test_jitter_leaves_frames_on_the_grid() -> None:
    grid = AudioGrid(AUDIO, 0)
    times = [int(n * FRAME_MS) + (n * 37 % 50) for n in range(200)]
    assert lay(grid, *times) == [0] * 200
    assert grid.next == 200 * 1024


def test_drift_beyond_60_ms_is_taken_up() -> None:
    grid = AudioGrid(AUDIO, 0)
    slow = lay(grid, *(n * FRAME_MS * 1.01 for n in range(1000)))  # a clock 1 % slower than its timestamps
    assert sum(slow) in (10, 9, 8)
    assert set(slow) <= {0, 3}


@pytest.mark.parametrize("hole_ms", [100, 500, 3000, 9000])
def test_a_hole_is_filled_with_silence(hole_ms: int) -> None:
    grid = AudioGrid(AUDIO, 0)
    lay(grid, 0, FRAME_MS)
    assert lay(grid, 2 * FRAME_MS + hole_ms) == [round(hole_ms / FRAME_MS)]


def test_without_silence_the_hole_stays() -> None:
    grid = AudioGrid(AC3, 0)
    assert lay(grid, 0, 500) == [0, 0]
    assert grid.next == 500 * 48 + 1536


def test_frames_whose_place_is_taken_are_left_out_until_the_grid_is_met() -> None:
    grid = AudioGrid(AUDIO, 0)
    lay(grid, *(n * FRAME_MS for n in range(10)))
    back = lay(grid, *(n * FRAME_MS for n in range(5, 15)))
    assert back == [AudioGrid.LATE] * 5 + [0] * 5
    assert grid.next == 15 * 1024


def test_sound_before_the_start_is_left_out_and_the_rest_begins_on_its_own_time() -> None:
    grid = AudioGrid(AUDIO, 48_00)  # at 100 ms
    assert lay(grid, 60, 80, 107) == [AudioGrid.LATE, AudioGrid.LATE, 0]
    assert grid.next == 107 * 48 + 1024


def test_sound_that_begins_late_is_led_in_by_silence() -> None:
    grid = AudioGrid(AUDIO, 0)
    assert lay(grid, 300) == [14]


def test_silence_laid_ahead_is_not_taken_back() -> None:
    grid = AudioGrid(AUDIO, 0)
    grid.lay_silence()
    grid.lay_silence()
    assert lay(grid, 2 * FRAME_MS - 5) == [0]
    assert grid.next == 3 * 1024


@pytest.mark.parametrize(
    ("toc", "samples"), [(0xE0, 120), (0xE8, 240), (0xF0, 480), (0xF8, 960), (0xF9, 1920), (0x18, 2880)]
)
def test_packets_of_opus_are_as_long_as_they_say(toc: int, samples: int) -> None:
    grid = AudioGrid(OPUS, 0)
    assert [grid.lay(bytes((toc, 0))).dts for _ in range(3)] == [0, samples, 2 * samples]


def test_packets_of_opus_may_change_their_length() -> None:
    grid = AudioGrid(OPUS, 0)
    assert [grid.lay(packet).dts for packet in (b"\xf8..", b"\xe0..", b"", b"\xf9..", b"\xf8..")] == [
        0, 960, 1080, 1200, 3120,
    ]  # fmt: skip


def test_holes_in_opus_are_filled_with_20_ms_of_silence() -> None:
    grid = AudioGrid(OPUS, 0)
    grid.place(0)
    grid.lay(b"\xe0..")
    assert grid.place(120 + 48_00) == 5
    assert [grid.lay_silence().dts for _ in range(2)] == [120, 1080]


def test_frames_of_unknown_length_lie_where_their_timestamps_say() -> None:
    grid = AudioGrid(AudioConfig("ec-3", 48_000, 2, 0, b""), 0)
    laid = []
    for at in (0, 120, 245, 355, 6144):
        assert grid.place(at) == 0
        laid.append(grid.lay(b"x").dts)
    assert laid == [0, 120, 245, 355, 6144]
