"""What can be copied of a source, and the child that copies it: passthrough renditions without an encoder.

    facts ─ copies_of ─► Copy … ─ package ─► child server.media.packager ─► on_described, on_segment

The parent opens what is written to and keeps the journal; a segment that was said is whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from server.formats.fmp4.movie import MAX_DURATION_S
from server.media.child import Children, Limits
from server.media.encoding import GIB, Listener, OnDescribed, OnSegment
from server.media.facts import SourceFacts
from server.media.growing import Growth
from server.media.problems import MediaProblem

TARGET_S = 4.0
NICE = 2
# Of CPU: measured 5 ms a MB; a slow machine under load takes ten times that.
CPU_S, CPU_S_A_GIB = 60, 60
TIMEOUT_S, TIMEOUT_S_A_GIB = 120.0, 600.0
# Headers beside the payload: 16 bytes a picture, 8 a frame of sound, of which small ones are half.
OUTPUT_FACTOR, OUTPUT_BYTES = 2, 64 << 20
LINES_BESIDE = 10_000  # a line a second of each track is twice what there are segments; lengths are sometimes guessed


@dataclass(frozen=True, slots=True)
class Copy:
    """A stream to copy into the rendition `name`."""

    name: str
    stream: int  # libav's index
    kind: str  # video or audio
    language: str = ""
    title: str = ""
    sar: tuple[int, int] | None = None  # as the container says it; None: as the stream does
    rotation: int = 0
    frame_rate: float = 0.0  # pictures a second, where it is known
    first: int = 0  # the first segment to write: those before are there from another run


def copies_of(facts: SourceFacts) -> tuple[Copy, ...]:
    """The tracks of a source that can be passed through: `video`, `audio`, `audio2` by their place among the sounds."""
    copies = []
    picture = facts.picture
    if picture is not None and picture.unpassable is None:
        sar = picture.sar if picture.sar != (1, 1) else None
        rate = picture.frame_rate or 0.0
        copies.append(
            Copy("video", picture.stream, "video", picture.language, picture.title, sar, picture.rotation, rate)
        )
    for place, sound in enumerate(facts.sounds, 1):
        if sound.unpassable is None:
            name = "audio" if place == 1 else f"audio{place}"
            copies.append(Copy(name, sound.stream, "audio", sound.language, sound.title))
    return tuple(copies)


async def package(
    children: Children,
    source: int,
    size: int,
    facts: SourceFacts,
    copies: Sequence[Copy],
    outputs: Mapping[str, int],
    on_described: OnDescribed,
    on_segment: OnSegment,
    timeout_s: float | None = None,
    growth: Growth | None = None,
    target_s: float = TARGET_S,
) -> MediaProblem | None:
    """Copy streams of the file of `size` bytes behind `source`: appends whole segments to each rendition's output.

    With a `growth` the file still comes, and `size` is what it will have. Segments are about `target_s` long.

    The callbacks come on the loop, those of one rendition in the order of its segments. A problem is one of the
    source; what was said before it is good. Raises ChildFailed.
    """
    if not copies:
        return None
    listener = Listener(on_described, on_segment)
    tracks = [asdict(copy) | {"output": outputs[copy.name]} for copy in copies]
    arguments = {
        "source": source,
        "growth": growth.told if growth else None,
        "container": facts.container,
        "start_s": facts.start_s,
        "target_s": target_s,
        "tracks": tracks,
    }
    gib = size / GIB
    await children.run(
        "server.media.packager",
        arguments,
        [source, *([growth.fd] if growth else []), *(outputs[copy.name] for copy in copies)],
        limits=Limits(
            cpu_s=CPU_S + round(CPU_S_A_GIB * gib),
            file_bytes=size * OUTPUT_FACTOR + OUTPUT_BYTES,
            files=64 + len(tracks),
            nice=NICE,
        ),
        timeout_s=timeout_s or TIMEOUT_S + TIMEOUT_S_A_GIB * gib,
        on_line=listener.line,
        max_lines=LINES_BESIDE + round(facts.duration_s or MAX_DURATION_S) * len(tracks),
    )
    return listener.problem
