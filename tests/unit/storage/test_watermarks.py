"""Files of watermarks: their own, and videos' copies."""

from pathlib import Path

import pytest

from server.storage.layout import Layout
from server.storage.watermarks import WatermarkStore


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "data")


def test_a_video_keeps_its_copy(layout: Layout) -> None:
    store = WatermarkStore(layout)
    store.put("watermark_1", b"an image")
    store.give("watermark_1", "vi1")
    assert store.ids() == ["watermark_1"]
    store.remove("watermark_1")
    store.remove("watermark_1")
    assert store.ids() == []
    assert layout.video_watermark("vi1").read_bytes() == b"an image"
    with pytest.raises(FileNotFoundError):
        store.give("watermark_1", "vi2")


def test_what_did_not_come_to_be_leaves_nothing(layout: Layout) -> None:
    store = WatermarkStore(layout)
    store.put("watermark_1", b"an image")
    store.give("watermark_1", "vi1")
    store.take_back("vi1")
    assert not layout.video("vi1").exists()


def test_what_can_not_be_written_leaves_nothing(layout: Layout) -> None:
    store = WatermarkStore(layout)
    layout.watermark("watermark_1").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        store.put("watermark_1", b"an image")
    assert [path.name for path in layout.watermark("watermark_1").parent.iterdir()] == ["watermark_1.png"]


def test_an_id_can_not_leave_the_folder(layout: Layout) -> None:
    with pytest.raises(ValueError, match="not a name"):
        WatermarkStore(layout).put("../sluice", b"")
