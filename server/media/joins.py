"""Files that are coded differently as one: what the server asks of the children that look at them and write it.

    look     what each is, and how long: server.media.join_look
    sounds   the sound of all of them, coded as a whole, so that nothing is heard at the seams: server.media.join_sounds
    write    pictures and sound, copied or coded before, into one file: server.media.join_write
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Self

from server.media.calls import memory_file
from server.media.child import Children, Limits
from server.media.encoding import LEAST_S, MEMORY_BYTES, SLOWEST_SOUND, Encoded, Listener, OnDescribed
from server.media.orders import TIMESCALE, Reading, Segment
from server.media.problems import MediaProblem
from server.media.splicing import CPU_S, CPU_S_A_GIB, GIB, NICE, OUTPUT_BYTES, TIMEOUT_S, TIMEOUT_S_A_GIB, Refused

LINES_A_PART = 4
HUNDREDTHS = 100

OnProgress = Callable[[float], None]  # 0 to 1


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """Streams of which these are the same go into one track as they are."""

    words: str  # for people
    configuration: str  # a hash of what a decoder is set up with


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A file that is to be joined."""

    pictures: StreamFacts | None
    sounds: tuple[StreamFacts, ...]
    start_s: float  # libav's time of what is shown first
    length: int  # ticks of TIMESCALE
    hides: bool = False  # pictures that only others need: they can't be hidden in the middle of a file
    fits_mp4: bool = True
    sets: tuple[int, ...] | None = None  # ids of H.264 parameter sets; None: no others can share its track

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        pictures, sets = told["pictures"], told["sets"]
        return cls(
            **{
                **told,
                "pictures": StreamFacts(**pictures) if pictures else None,
                "sounds": tuple(StreamFacts(**each) for each in told["sounds"]),
                "sets": tuple(sets) if sets is not None else None,
            }
        )


@dataclass(frozen=True, slots=True)
class SoundPart:
    """When a part's sound is heard, in ticks; `source` None: silence."""

    start: int
    length: int
    source: int | None = None
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class Coded:
    """What an encoder wrote: its init segment, and segments one after the other."""

    init: bytes
    segments: int  # descriptor


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A part of the file; what is not `coded` is copied from `source`."""

    start: int  # ticks
    source: int
    start_s: float
    pictures: Coded | None = None


async def look(children: Children, sources: Sequence[int]) -> list[PartFacts] | Refused:
    """Raises ChildFailed."""
    found: list[PartFacts] = []
    problems: list[Refused] = []

    def on_line(event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "part":
            found.append(PartFacts.of_json(event))
        elif kind == "problem":
            problems.append(Refused(MediaProblem(event["code"], event["detail"]), event["part"]))

    gib = sum(os.fstat(source).st_size for source in sources) / GIB
    await children.run(
        "server.media.join_look",
        {"sources": list(sources)},
        sources,
        limits=Limits(cpu_s=CPU_S + round(CPU_S_A_GIB * gib), files=64 + len(sources), nice=NICE),
        timeout_s=TIMEOUT_S + TIMEOUT_S_A_GIB * gib,
        on_line=on_line,
        max_lines=len(sources) * LINES_A_PART + LINES_A_PART,
    )
    return problems[0] if problems else found


async def encode_sounds(
    children: Children,
    parts: Sequence[SoundPart],
    rate: int,
    channels: int,
    output: int,
    on_described: OnDescribed,
    on_segment: Callable[[Segment], None],
) -> Encoded:
    """One track of AAC of all parts, each exactly as long as it says. Raises ChildFailed."""
    length_s = sum(part.length for part in parts) / TIMESCALE
    listener = Listener(on_described, on_segment)
    sources = sorted({part.source for part in parts if part.source is not None})
    result = await children.run(
        "server.media.join_sounds",
        {"parts": [asdict(part) for part in parts], "rate": rate, "channels": channels, "output": output},
        [*sources, output],
        limits=Limits(
            memory_bytes=MEMORY_BYTES,
            cpu_s=int(LEAST_S + length_s * SLOWEST_SOUND),
            file_bytes=OUTPUT_BYTES + int(length_s * HUNDREDTHS * 1000),
            files=64 + len(sources),
            nice=NICE,
        ),
        timeout_s=LEAST_S + length_s * SLOWEST_SOUND,
        on_line=listener.line,
        max_lines=LINES_A_PART * len(parts) + round(length_s),
    )
    return Encoded(cpu_s=result.cpu_s, problem=listener.problem)


async def write(
    children: Children,
    parts: Sequence[WrittenPart],
    sound: Coded | bool,
    output: int,
    on_progress: OnProgress = lambda fraction: None,
) -> MediaProblem | None:
    """An MP4 of all parts; of their sound what was `coded` as a whole, or theirs as it is (True), or none (False).

    Raises ChildFailed.
    """
    problems: list[MediaProblem] = []

    def on_line(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            on_progress(event["share"])
        elif event["event"] == "problem":
            problems.append(MediaProblem(event["code"], event["detail"]))

    with ExitStack() as stack:
        told = [_written(part, stack) for part in parts]
        heard = _coded(sound, stack) if isinstance(sound, Coded) else sound
        coded = [part.pictures.segments for part in parts if part.pictures]
        coded += [sound.segments] if isinstance(sound, Coded) else []
        inits = [each["init"] for part in told if (each := part["pictures"])]
        inits += [heard["init"]] if isinstance(heard, dict) else []
        fds = [*(part.source for part in parts), *coded, *inits, output]
        size = sum(os.fstat(fd).st_size for fd in fds)
        await children.run(
            "server.media.join_write",
            {"parts": told, "sound": heard, "output": output},
            fds,
            limits=Limits(
                cpu_s=CPU_S + round(2 * CPU_S_A_GIB * size / GIB),
                file_bytes=size + size // 4 + OUTPUT_BYTES,
                files=64 + len(fds),
                nice=NICE,
            ),
            timeout_s=TIMEOUT_S + TIMEOUT_S_A_GIB * size / GIB,
            on_line=on_line,
            max_lines=2 * HUNDREDTHS + LINES_A_PART,
        )
    return problems[0] if problems else None


def _written(part: WrittenPart, stack: ExitStack) -> dict[str, Any]:
    pictures = _coded(part.pictures, stack) if part.pictures else None
    return {"start": part.start, "source": part.source, "start_s": part.start_s, "pictures": pictures}


def _coded(coded: Coded, stack: ExitStack) -> dict[str, int]:
    return {"init": stack.enter_context(memory_file("init", coded.init)), "segments": coded.segments}
