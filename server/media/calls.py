"""What the server asks of its children: to look at an upload, to make posters, to cut segments.

Descriptors come in open and stay the caller's. ChildFailed, of whatever reason, comes out as it is: `problem_of` says
it to the file's owner.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from server.media.child import SPARES, ChildFailed, Children, Limits
from server.media.facts import SourceFacts
from server.media.growing import Growth
from server.media.problems import MediaProblem

PROBE_TIMEOUT_S = 60.0
POSTER_TIMEOUT_S = 30.0
CUT_TIMEOUT_S = 60.0
CUT_LIMITS = Limits(file_bytes=128 << 20, nice=5)
POSTER_LIMITS = Limits(file_bytes=16 << 20, nice=5)
IMAGE_TIMEOUT_S = 30.0
# A storyboard of a recording takes a descriptor for each of its tiles.
IMAGE_LIMITS = Limits(file_bytes=64 << 20, files=512, nice=2)

FAILURES = {
    "crashed": "the file could not be read: it made the reader crash",
    "timeout": "the file could not be read in time",
    "limit": "the file could not be read: it takes more memory or time than a sound file would",
    "protocol": "the file could not be read",
}


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found out about an upload.

    Either there is a `problem` and nothing can be made of it; or there are `facts`, and it is `indexed`, or `unserved`
    says in words why its own index does not do. `open`, of one that still comes: which of the facts only the rest
    will tell.
    """

    indexed: bool
    facts: SourceFacts | None
    problem: MediaProblem | None
    unserved: str | None = None
    open: Literal["length", "end"] | None = None


def problem_of(failure: ChildFailed) -> MediaProblem:
    """The failure of a child as the fault of the file it read."""
    return MediaProblem("invalid", FAILURES[failure.reason])


async def examine(
    children: Children,
    source: int,
    index: int,
    on_indexed: Callable[[], None] = lambda: None,
    timeout_s: float = PROBE_TIMEOUT_S,
    growth: Growth | None = None,
) -> Examination:
    """Look at the upload behind the descriptor `source`; its index is written to `index` if it can be served by one.

    `on_indexed` is called the moment the index is whole, about half way: the video can be played from then on, unless
    the decoder finds a problem after all. With a `growth` the file still comes, and is waited for. Raises ChildFailed.
    """
    events: dict[str, dict[str, Any]] = {}

    def on_line(event: dict[str, Any]) -> None:
        events[event["event"]] = event
        if event["event"] == "indexed":
            on_indexed()

    arguments = {"source": source, "index": index, "growth": growth.told if growth else None}
    fds = [source, index, *([growth.fd] if growth else [])]
    await children.run("server.media.probe", arguments, fds, timeout_s=timeout_s, on_line=on_line)
    problem = _problem(events.get("problem"))
    facts = None if problem or "found" not in events else _facts(events["found"])
    unserved = events.get("unserved", {}).get("detail")
    return Examination("indexed" in events, facts, problem, unserved, _open(events.get("open")))


async def poster(children: Children, source: int, index: int) -> bytes | MediaProblem:
    """A JPEG of the upload's first good key frame, turned upright. Raises ChildFailed."""
    return await _picture(children, {"source": source, "index": index})


async def segment_poster(children: Children, init: bytes, segment: bytes) -> bytes | MediaProblem:
    """A JPEG of the first picture of a segment. Raises ChildFailed."""
    with memory_file("segment", init, segment) as media:
        return await _picture(children, {"media": media})


@dataclass(frozen=True, slots=True)
class Edge:
    """A segment of pictures that was cut; times in the track's ticks."""

    init: bytes
    segment: bytes
    start: int
    end: int


async def cut(
    children: Children, init: bytes, segment: bytes, start: int, until: int, bitrate: int
) -> Edge | MediaProblem:
    """The pictures shown within start..until-1, coded anew: it begins with a key frame. Raises ChildFailed."""
    events: dict[str, dict[str, Any]] = {}
    with memory_file("media", init, segment) as media, memory_file("init") as new_init, memory_file("cut") as new:
        await children.run(
            "server.media.edges",
            {"media": media, "init": new_init, "segment": new, "from": start, "until": until, "bitrate": bitrate},
            [media, new_init, new],
            limits=CUT_LIMITS,
            timeout_s=CUT_TIMEOUT_S,
            on_line=lambda event: events.update({event["event"]: event}),
        )
        if (said := events.get("cut")) is None:
            return _problem(events.get("problem")) or MediaProblem("failed", "nothing was cut")
        return Edge(_content(new_init), _content(new), said["start"], said["end"])


async def slate(children: Children, media: bytes, width: int, height: int) -> bytes | MediaProblem:
    """An MP4 of some seconds of H.264 made of a picture or a clip, to be shown in a loop. Raises ChildFailed."""
    events: dict[str, dict[str, Any]] = {}
    with memory_file("media", media) as source, memory_file("slate") as made:
        await children.run(
            "server.media.slate",
            {"media": source, "slate": made, "width": width, "height": height},
            [source, made],
            limits=CUT_LIMITS,
            timeout_s=CUT_TIMEOUT_S,
            on_line=lambda event: events.update({event["event"]: event}),
        )
        if "slate" in events:
            return _content(made)
        return _problem(events.get("problem")) or MediaProblem("failed", "nothing was made")


@dataclass(frozen=True, slots=True)
class Images:
    """What a child made: files by their names, and what it said of them."""

    files: Mapping[str, bytes]
    told: Mapping[str, Any]


async def images(
    children: Children, where: Mapping[str, Any], fds: Sequence[int], make: Mapping[str, Any], outputs: Sequence[str]
) -> Images | MediaProblem:
    """Images of a video, as server.media.images says it: where the video lies, by descriptors, and what to make.

    Raises ChildFailed.
    """
    events: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        opened = {name: stack.enter_context(memory_file(name)) for name in outputs}
        await children.run(
            "server.media.images",
            {"where": where, "make": make, "outputs": opened},
            [*fds, *opened.values()],
            limits=IMAGE_LIMITS,
            spare=SPARES,
            timeout_s=IMAGE_TIMEOUT_S,
            on_line=lambda event: events.update({event["event"]: event}),
        )
        if "made" not in events:
            return _problem(events.get("problem")) or MediaProblem("failed", "nothing was made")
        return Images({name: _content(fd) for name, fd in opened.items()}, events["made"])


async def sandboxed(children: Children, port: int) -> list[str]:
    """What a child tries in vain: network (`port` of this machine), programs, processes, signals, writing, files."""
    events: list[dict[str, Any]] = []
    await children.run("server.media.sandbox_check", {"port": port}, on_line=events.append)
    return [str(name) for name in events[-1]["refused"]]


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


async def _picture(children: Children, arguments: dict[str, int]) -> bytes | MediaProblem:
    problems: list[dict[str, Any]] = []

    def on_line(event: dict[str, Any]) -> None:
        if event["event"] == "problem":
            problems.append(event)

    with memory_file("picture") as picture:
        await children.run(
            "server.media.thumbnails",
            {**arguments, "picture": picture},
            [*arguments.values(), picture],
            limits=POSTER_LIMITS,
            timeout_s=POSTER_TIMEOUT_S,
            on_line=on_line,
        )
        problem = _problem(problems[0] if problems else None)
        return problem or _content(picture)


def _facts(event: dict[str, Any]) -> SourceFacts:
    return SourceFacts.of_event({name: value for name, value in event.items() if name != "event"})


def _open(event: dict[str, Any] | None) -> Literal["length", "end"] | None:
    return None if event is None else "length" if event["what"] == "length" else "end"


def _problem(event: dict[str, Any] | None) -> MediaProblem | None:
    return None if event is None else MediaProblem(event["code"], event["detail"])


@contextmanager
def memory_file(name: str, *content: bytes) -> Iterator[int]:
    """A file of no folder (memfd_create(2)) that begins with `content`, gone with its descriptor."""
    fd = os.memfd_create(name)
    try:
        with open(fd, "wb", closefd=False) as out:
            out.writelines(content)
        yield fd
    finally:
        os.close(fd)
