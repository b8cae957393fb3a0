"""Notes of what is good; what a crash leaves is a folder with a note and a file."""

import hashlib

import pytest

from server.protocols.tus.checksum import Checksum
from server.storage import checked
from server.storage.checked import Checking

SHA1 = Checksum("sha1", hashlib.sha1(b"abc").digest())


@pytest.fixture
def note(tmp_path):
    return tmp_path / "checked"


def go(note, checksum, size, *chunks):
    checking = Checking(note, checksum)
    checking.begin(size)
    for chunk in chunks:
        checking.update(chunk)
    return checking


def test_while_bytes_come_only_those_before_are_good(note):
    go(note, SHA1, 7, b"ab")

    assert checked.read(note) == 7


def test_the_right_bytes_are_good(note):
    checking = go(note, SHA1, 7, b"a", b"bc")
    assert checking.right()
    checking.end(10)

    assert (checked.read(note), checking.refused) == (10, False)


def test_others_are_not(note):
    checking = go(note, SHA1, 7, b"abd")

    assert not checking.right()
    assert checking.refused
    assert checked.read(note) == 7


def test_bytes_without_a_checksum_need_no_note(note):
    go(note, SHA1, 7, b"abc").end(10)
    checking = go(note, None, 10, b"x")
    checking.end(11)

    assert checking.right()
    assert checked.read(note) is None


def test_a_note_that_a_crash_left_empty_tells_nothing(note):
    note.write_bytes(b"")

    assert checked.read(note) is None
