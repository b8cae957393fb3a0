"""Where everything lies: the only place that spells a path.

    <root>/uploads/<upload id>/data            what has come of an upload, in order
    <root>/uploads/<upload id>/parts/<key>     a part that came ahead of its turn
    <root>/videos/<video id>/source            a video's file as it was uploaded
"""

import re
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder. An id that could leave its folder is a ValueError."""

    root: Path

    @property
    def uploads(self) -> Path:
        return self.root / "uploads"

    def upload(self, upload_id: str) -> Path:
        return self.uploads / _name(upload_id)

    def upload_data(self, upload_id: str) -> Path:
        return self.upload(upload_id) / "data"

    def upload_parts(self, upload_id: str) -> Path:
        return self.upload(upload_id) / "parts"

    @property
    def videos(self) -> Path:
        return self.root / "videos"

    def video(self, video_id: str) -> Path:
        return self.videos / _name(video_id)

    def video_source(self, video_id: str) -> Path:
        return self.video(video_id) / "source"


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"not a name: {text!r}")
    return text
