import ctypes

import pytest

from server.storage import writeback


def test_the_system_is_asked_to_write_back(tmp_path):
    path = tmp_path / "data"
    with path.open("wb", buffering=0) as file:
        file.write(b"abc")
        writeback.begin(file.fileno(), 0, 3)

    assert path.read_bytes() == b"abc"


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
