import errno
import os

import pytest

from server.errors import Problem
from server.storage import parts

BYTES = {1: b"a" * 5, 2: b"b" * 3, 3: b"c" * 4}
SIZES = {key: len(value) for key, value in BYTES.items()}
WHOLE = b"aaaaabbbcccc"


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    data.touch()
    return data


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "parts"


def joined(*arguments):
    """The bytes that all slices made."""
    return list(parts.joining(*arguments))[-1]


def put(folder, *keys):
    for key in keys:
        path = folder.parent / "incoming"
        path.write_bytes(BYTES[key])
        parts.keep(path, folder, key)


def test_parts_are_joined_in_the_order_given(data, folder):
    put(folder, 3, 1, 2)

    assert joined(data, folder, SIZES) == 12
    assert data.read_bytes() == WHOLE
    assert os.listdir(folder) == []


def test_parts_are_joined_as_their_turn_comes(data, folder):
    put(folder, 1, 3)
    assert joined(data, folder, {1: 5}) == 5
    put(folder, 2)
    assert joined(data, folder, SIZES) == 12

    assert data.read_bytes() == WHOLE


def test_joining_again_changes_nothing(data, folder):
    put(folder, 1, 2)
    joined(data, folder, {1: 5, 2: 3})

    assert joined(data, folder, {1: 5, 2: 3}) == 8
    assert data.read_bytes() == b"aaaaabbb"


def test_a_part_sent_again_before_its_turn_takes_the_first_ones_place(data, folder):
    put(folder, 2)
    put(folder, 2, 1)

    assert joined(data, folder, {1: 5, 2: 3}) == 8


@pytest.mark.parametrize("half", [b"aaaaa", b"aaaaab", b"aaaaabbb", b"aaaaabbbXXXXXXX"])
def test_joining_goes_on_after_a_crash(data, folder, half):
    put(folder, 2, 3)
    data.write_bytes(half)

    assert joined(data, folder, SIZES) == 12
    assert data.read_bytes() == WHOLE


@pytest.mark.parametrize(("keys", "stored"), [((1, 3), b""), ((3,), b"aaaaabb"), ((2,), b"aaaaabb")])
def test_missing_bytes_are_noticed_before_any_is_touched(data, folder, keys, stored):
    folder.mkdir()
    put(folder, *keys)
    data.write_bytes(stored)
    with pytest.raises(Problem) as caught:
        joined(data, folder, SIZES)

    assert caught.value.code == "unavailable"
    assert data.read_bytes() == stored


def test_parts_are_copied_where_the_file_system_does_not(data, folder, monkeypatch):
    def refused(source, target, count):
        raise OSError(errno.EXDEV, "no")

    monkeypatch.setattr(os, "copy_file_range", refused)
    put(folder, 1, 2, 3)

    assert joined(data, folder, SIZES) == 12
    assert data.read_bytes() == WHOLE


def test_data_that_was_moved_away_has_no_bytes(data, folder):
    put(folder, 1, 2, 3)
    joined(data, folder, SIZES)
    data.unlink()

    assert joined(data, folder, SIZES) == 0


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(parts, "SLICE_BYTES", 2)


def test_a_part_comes_slice_by_slice(data, folder, small):
    put(folder, 1, 2, 3)

    assert list(parts.joining(data, folder, SIZES)) == [5, 7, 8, 10, 12]
    assert data.read_bytes() == WHOLE


@pytest.mark.parametrize("after", range(1, 5))
def test_who_goes_on_copies_one_slice_again_at_most(data, folder, small, after, monkeypatch):
    put(folder, 1, 2, 3)
    broken_off = parts.joining(data, folder, SIZES)
    there = [next(broken_off) for _ in range(after)][-1]
    copied = []
    copy = parts._copy_some
    monkeypatch.setattr(parts, "_copy_some", lambda *those: copied.append(copy(*those)) or copied[-1])

    assert joined(data, folder, SIZES) == 12
    assert sum(copied) <= 12 - there + 2
    assert data.read_bytes() == WHOLE


def test_a_slice_that_was_not_on_disk_is_copied_again(data, folder, small):
    put(folder, 1, 3)
    data_before = BYTES[1] + b"cc" + b"\0\0"  # a machine that went down: longer than what was written
    parts.keep(data, folder.parent / "elsewhere", 1)
    (folder / "1").unlink()
    data.write_bytes(data_before)

    assert joined(data, folder, {1: 5, 3: 4}) == 9
    assert data.read_bytes() == BYTES[1] + BYTES[3]


def test_an_upload_that_ends_meanwhile_is_noticed_at_the_next_slice(data, folder, small):
    put(folder, 1, 2)
    slices = parts.joining(data, folder, {1: 5, 2: 3})
    assert next(slices) == 5
    assert next(slices) == 7
    (folder / "2").unlink()
    with pytest.raises(FileNotFoundError):
        next(slices)
