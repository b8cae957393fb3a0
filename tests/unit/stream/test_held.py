"""What waits for a generation is bounded, and of use when it comes."""

from server.stream.held import MAX_HELD, MAX_HELD_BYTES, Early, Held

JUMP = 10_000


def frame(at: int, size: int = 1, key: bool = True) -> Early:
    return Early(at, 0, key, bytes(size))


def test_the_oldest_sound_makes_room() -> None:
    held = Held(pictures=False)
    for at in range(MAX_HELD + 10):
        held.add(frame(at), JUMP)
    assert held.full
    assert [held.samples[0].timestamp, len(held.samples), held.span] == [10, MAX_HELD, MAX_HELD - 1]


def test_large_frames_make_room_too() -> None:
    held = Held(pictures=False)
    for at in range(5):
        held.add(frame(at, MAX_HELD_BYTES // 3), JUMP)
    assert [sample.timestamp for sample in held.samples] == [2, 3, 4]


def test_another_clock_begins_anew() -> None:
    held = Held(pictures=False)
    for at in (0, 20, 40, JUMP + 41, JUMP + 61, 5, 25):
        held.add(frame(at), JUMP)
    assert [sample.timestamp for sample in held.samples] == [5, 25]


def test_pictures_are_kept_from_the_last_key_frame_on() -> None:
    held = Held(pictures=True)
    for at in range(10):
        held.add(frame(at, key=at in (2, 6)), JUMP)
    assert [sample.timestamp for sample in held.samples] == [6, 7, 8, 9]


def test_pictures_that_are_too_many_are_of_no_use() -> None:
    held = Held(pictures=True)
    held.add(frame(0), JUMP)
    for at in range(1, MAX_HELD + 5):
        held.add(frame(at, key=False), JUMP)
    assert held.samples == []
    assert held.span == 0
