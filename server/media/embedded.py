"""The text subtitles inside a file, taken out by a child (`server.media.subtitles`)."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from server.media.calls import memory_file
from server.media.child import Children, Limits
from server.media.encoding import GIB
from server.media.facts import SubtitleFacts

NICE = 5
# Of CPU: a pass over all packets, as copying makes; the disk may be slow.
CPU_S, CPU_S_A_GIB = 30, 60
TIMEOUT_S, TIMEOUT_S_A_GIB = 60.0, 300.0
MAX_TEXT_BYTES = 32 << 20  # of a track: its cues with their times, four bytes a character


async def subtitles(
    children: Children, source: int, container: str, start_s: float, tracks: Sequence[SubtitleFacts]
) -> list[bytes]:
    """WebVTT of each of the tracks, all of them text; empty where nothing of one could be read. Raises ChildFailed."""
    gib = os.fstat(source).st_size / GIB
    read: set[int] = set()

    def on_line(event: dict[str, Any]) -> None:
        if event["event"] == "text" and event["cues"]:
            read.add(event["stream"])

    with ExitStack() as stack:
        outputs = [stack.enter_context(memory_file("text")) for _ in tracks]
        told = [
            {"stream": track.stream, "codec": track.codec, "output": output}
            for track, output in zip(tracks, outputs, strict=True)
        ]
        await children.run(
            "server.media.subtitles",
            {"source": source, "container": container, "start_s": start_s, "tracks": told},
            [source, *outputs],
            limits=Limits(cpu_s=CPU_S + round(CPU_S_A_GIB * gib), file_bytes=MAX_TEXT_BYTES, nice=NICE),
            timeout_s=TIMEOUT_S + TIMEOUT_S_A_GIB * gib,
            on_line=on_line,
        )
        return [
            os.pread(output, MAX_TEXT_BYTES, 0) if track.stream in read else b""
            for track, output in zip(tracks, outputs, strict=True)
        ]
