"""Images of watermarks: each is kept once as it was uploaded, and once more by every video that shows it.

So a watermark can go at any time: what is made of a video, today or when it is made anew, goes by the video's own copy.
"""

import os
import tempfile
from pathlib import Path

from server.storage.folders import make_folder, sync_folder
from server.storage.layout import Layout


class WatermarkStore:
    """Everything blocks on the disk; what a method has done survives a crash."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def put(self, watermark_id: str, image: bytes) -> None:
        """Raises OSError."""
        _keep(self._layout.watermark(watermark_id), image)

    def give(self, watermark_id: str, video_id: str) -> int:
        """A copy for a video; its bytes. Raises FileNotFoundError where the watermark is gone, OSError."""
        return _keep(self._layout.video_watermark(video_id), self._layout.watermark(watermark_id).read_bytes())

    def keep(self, video_id: str, image: bytes) -> int:
        """An image of our own for a video, in place of any other; its bytes. Raises OSError."""
        return _keep(self._layout.video_watermark(video_id), image)

    def share(self, video_id: str, version_id: str) -> int:
        """The copy that a video has, with a version of it as well; its bytes. Raises OSError."""
        return _keep(self._layout.video_watermark(version_id), self._layout.video_watermark(video_id).read_bytes())

    def take_back(self, video_id: str) -> None:
        """Of a video that does not come to be: its folder holds nothing else yet."""
        path = self._layout.video_watermark(video_id)
        path.unlink(missing_ok=True)
        path.parent.rmdir()

    def remove(self, watermark_id: str) -> None:
        """One that is not there is no error. Raises OSError."""
        self._layout.watermark(watermark_id).unlink(missing_ok=True)

    def ids(self) -> list[str]:
        """Watermarks that have a file."""
        return self._layout.watermark_ids()


def _keep(path: Path, content: bytes) -> int:
    make_folder(path.parent)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".new")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_folder(path.parent)
    return len(content)
