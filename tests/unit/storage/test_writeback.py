import ctypes
import sys

import pytest

from server.storage import writeback

SYNC_FILE_RANGE_WRITE = 2  # of <fcntl.h>


@pytest.fixture
def asked(monkeypatch):
    calls = []
    monkeypatch.setattr(writeback, "_sync_file_range", lambda *call: calls.append(call) or 0)
    return calls


def test_the_system_is_asked_to_write_back(asked):
    writeback.begin(7, 4096, 3)
    assert asked == [(7, 4096, 3, SYNC_FILE_RANGE_WRITE)]


def test_nothing_is_asked_of_no_bytes(asked):
    """To the system a count of 0 means all there is up to the file's end."""
    writeback.begin(7, 4096, 0)
    assert asked == []


@pytest.mark.skipif(sys.platform != "linux", reason="the call is Linux's own")
def test_the_system_takes_what_it_is_asked(tmp_path):
    with (tmp_path / "data").open("wb", buffering=0) as file:
        file.write(b"abc")
        assert writeback._sync_file_range(file.fileno(), 0, 3, SYNC_FILE_RANGE_WRITE) == 0


@pytest.mark.parametrize("library", [object(), None])
def test_a_system_that_can_not_is_left_alone(monkeypatch, library):
    def opened(name):
        if library is None:
            raise OSError("no such library")
        return library

    monkeypatch.setattr(ctypes, "CDLL", opened)
    monkeypatch.setattr(writeback, "_sync_file_range", writeback._found())

    writeback.begin(-1, 0, 3)
    assert writeback._sync_file_range is None
