"""What the repository holds is whole by itself: no file in it leads out of it."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINK = "120000"  # git's mode of a symbolic link


def test_nothing_tracked_is_a_link():
    """A link points to where its maker kept something: a clone elsewhere can't even make a folder in its place."""
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed
    assert [line for line in listed.splitlines() if line.startswith(LINK)] == []
