"""One server for each data folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from server.storage import data_folder
from server.storage.data_folder import FolderInUseError

HOLD = """
import sys, time
from pathlib import Path
from server.storage import data_folder
root = Path(sys.argv[1])
with data_folder.held(root, root / "lock"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_server_is_refused_and_told_who_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_folder, "LOCK_RETRY_S", 0.2)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"

        with (
            pytest.raises(FolderInUseError, match=f"is in use by another server .process {other.pid}."),
            data_folder.held(tmp_path, tmp_path / "lock"),
        ):
            pass

        other.kill()
        other.wait(10)
        with data_folder.held(tmp_path, tmp_path / "lock"):
            assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    path.write_text("old")
    path.chmod(0o644)

    data_folder.write_secret(path, "s3cret")

    assert path.read_text() == "s3cret\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_free_space_is_a_number_of_bytes(tmp_path: Path) -> None:
    assert data_folder.free_bytes(tmp_path) > 0


def test_a_full_disk_is_found(tmp_path: Path) -> None:
    """A file without bytes would be taken."""
    (tmp_path / ".writable").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        data_folder.try_writing(tmp_path)
    assert list(tmp_path.iterdir()) == []
