"""The pictures of the README are there, and say what they show to who sees them and to who does not."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PICTURES = re.findall(r"^!\[(.*)\]\((.*)\)\n\n(.*)$", README, re.MULTILINE)


def test_there_are_pictures_and_all_are_found() -> None:
    assert PICTURES
    assert len(PICTURES) == README.count("![")
    assert {ROOT / path for _, path, _ in PICTURES} == set((ROOT / "docs").glob("*.png"))


@pytest.mark.parametrize(("instead", "path", "caption"), PICTURES, ids=[path for _, path, _ in PICTURES])
def test_a_picture_has_a_caption(instead: str, path: str, caption: str) -> None:
    assert (ROOT / path).read_bytes().startswith(b"\x89PNG")
    assert len(instead) > 20
    assert caption.startswith("*")
