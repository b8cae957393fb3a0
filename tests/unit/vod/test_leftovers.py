"""What a kill between a file and its row leaves goes at the next start; what is still wanted stays."""

import os

from server.vod import leftovers
from tests.unit.vod.conftest import Archive


async def test_what_has_no_row_goes_and_what_waits_stays(archive: Archive) -> None:
    layout = archive.layout
    waiting, done = await archive.video(), await archive.video(state="done")
    failed = await archive.video(state="error")
    for id in (waiting, failed, done, "viunknown", "vimarked"):
        layout.video(id).mkdir(parents=True, exist_ok=True)
        if id == "vimarked":
            layout.video_watermark(id).write_bytes(b"a picture")
        else:
            layout.video_input(id, 0).parent.mkdir()
            layout.video_input(id, 0).write_bytes(b"linked")
    layout.video_watermark(done).write_bytes(b"its own")

    assert await leftovers.sweep(archive.database, layout) == 1
    assert layout.video_input("viunknown", 0).exists()  # its row may be on its way

    for id in ("viunknown", "vimarked"):
        os.utime(layout.video(id), (0, 0))
    assert await leftovers.sweep(archive.database, layout) == 2

    assert sorted(path.name for path in layout.videos.iterdir()) == sorted([waiting, failed, done])
    assert layout.video_input(waiting, 0).exists()
    assert layout.video_input(failed, 0).exists()
    assert not layout.video_inputs(done).exists()
    assert layout.video_watermark(done).exists()
    assert layout.video_source(done).exists()
    assert await leftovers.sweep(archive.database, layout) == 0
