"""WebVTT (W3C, "WebVTT: The Web Video Text Tracks Format"): text with times, of captions and of chapters.

    WEBVTT

    STYLE …, REGION …, NOTE …      blocks before the first cue; notes anywhere

    1
    00:00:01.000 --> 00:00:04.000 line:0
    What is said

Browsers pass over what they can't read; who uploads a file is told of it instead, with the number of the line.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

MAX_CUES = 50_000  # a day of talk has some 30,000
MAX_CUE_CHARACTERS = 4096
MAX_MS = 1000 * 3600 * 1000
MPEGTS_CLOCK, MPEGTS_WRAP = 90_000, 1 << 33

_TIME = r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_TIMES = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t]+(.*))?", re.ASCII)
ARROW = "-->"


class TextError(ValueError):
    """The text can't be read; `line` counts from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Cue:
    """Text that is shown from one moment to another."""

    start_ms: int
    end_ms: int
    text: str  # cue payload: `&` and `<` are escaped, lines are parted by \n
    settings: str = ""  # as they stand behind the times
    name: str = ""  # of the cue: an identifier


@dataclass(frozen=True, slots=True)
class TextTrack:
    """A file's cues in the order of their beginning, and the blocks that say how they look."""

    cues: tuple[Cue, ...]
    blocks: tuple[str, ...] = ()  # STYLE and REGION, whole


def read(text: str) -> TextTrack:
    """Raises TextError."""
    found = blocks(text)
    number, first = next(found, (1, [""]))
    if not re.fullmatch(r"\ufeff?WEBVTT([ \t].*)?", first[0]):
        raise TextError(number, "a WebVTT file begins with WEBVTT")
    if any(ARROW in line for line in first):
        raise TextError(number, "an empty line must stand before the first cue")
    cues: list[Cue] = []
    looks: list[str] = []
    for number, lines in found:
        kind = lines[0].split(maxsplit=1)[0] if lines[0].strip() else ""
        if kind == "NOTE" and ARROW not in lines[0]:
            continue
        if kind in ("STYLE", "REGION") and ARROW not in lines[0]:
            looks.append("\n".join(lines))
            continue
        cues.append(_cue(number, lines))
        if len(cues) > MAX_CUES:
            raise TextError(number, f"more than {MAX_CUES:,} cues")
    return TextTrack(in_order(cues), tuple(looks))


def write(track: TextTrack) -> str:
    """A whole file."""
    parts = ["WEBVTT", *track.blocks]
    for cue in track.cues:
        settings = f" {cue.settings}" if cue.settings else ""
        times = f"{timestamp(cue.start_ms)} {ARROW} {timestamp(cue.end_ms)}{settings}"
        parts.append("\n".join(filter(None, (cue.name, times, cue.text))))
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Plain text as one line of a cue's payload."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def on_clock(text: str, start_s: float) -> str:
    """A whole file as a segment of HLS, whose cues count from where the media's clock says `start_s` (RFC 8216 3.5)."""
    mpegts = round(start_s * MPEGTS_CLOCK) % MPEGTS_WRAP
    return f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{mpegts},LOCAL:00:00:00.000{text.removeprefix('WEBVTT')}"


def starting(track: TextTrack, ms: int) -> TextTrack:
    """What is shown from there on, with times counted from there."""
    cues = (
        replace(cue, start_ms=max(0, cue.start_ms - ms), end_ms=cue.end_ms - ms)
        for cue in track.cues
        if cue.end_ms > ms
    )
    return replace(track, cues=tuple(cues))


def within(track: TextTrack, start_ms: int, end_ms: int | None = None) -> TextTrack:
    """What is shown from one moment to another (None: to the end), with times counted from the first; one before the
    beginning leaves as much room."""
    cues = []
    for cue in track.cues:
        start, end = max(cue.start_ms, start_ms), cue.end_ms if end_ms is None else min(cue.end_ms, end_ms)
        if start < end:
            cues.append(replace(cue, start_ms=start - start_ms, end_ms=end - start_ms))
    return replace(track, cues=tuple(cues))


def in_a_row(tracks: Iterable[tuple[int, TextTrack]]) -> TextTrack:
    """Tracks as one, each from its moment on, as far as one may have cues."""
    cues: list[Cue] = []
    looks: dict[str, None] = {}
    for start_ms, track in tracks:
        looks |= dict.fromkeys(track.blocks)
        cues += [replace(cue, start_ms=cue.start_ms + start_ms, end_ms=cue.end_ms + start_ms) for cue in track.cues]
    return TextTrack(in_order(cues)[:MAX_CUES], tuple(looks))


def timestamp(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{rest:03}"


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not empty, each with the number of its first."""
    lines: list[str] = []
    number = 0
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.replace("\0", "\ufffd")), 1):
        if line:
            lines.append(line)
        elif lines:
            yield number - len(lines), lines
            lines = []
    if lines:
        yield number - len(lines) + 1, lines


def milliseconds(hours: str | None, minutes: str, seconds: str, thousandths: str) -> int:
    return ((int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(thousandths)


def checked(number: int, cue: Cue) -> Cue:
    """Raises TextError for times or text that no player would show."""
    if cue.end_ms <= cue.start_ms:
        raise TextError(number, "a cue must end after it begins")
    if cue.end_ms > MAX_MS:
        raise TextError(number, "a cue ends after more than 1,000 hours")
    if len(cue.text) > MAX_CUE_CHARACTERS:
        raise TextError(number, f"a cue of more than {MAX_CUE_CHARACTERS:,} characters")
    return cue


def in_order(cues: Iterable[Cue]) -> tuple[Cue, ...]:
    return tuple(sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms)))


def _cue(number: int, lines: Sequence[str]) -> Cue:
    name, at = ("", 0) if ARROW in lines[0] else (lines[0], 1)
    if len(lines) <= at or ARROW not in lines[at]:
        raise TextError(number + at, "the times of a cue are expected here, such as 00:00:01.000 --> 00:00:04.000")
    found = _TIMES.fullmatch(lines[at].strip())
    if found is None:
        raise TextError(number + at, "times look like 00:00:01.000 --> 00:00:04.000")
    start, end = milliseconds(*found.group(1, 2, 3, 4)), milliseconds(*found.group(5, 6, 7, 8))
    return checked(number + at, Cue(start, end, "\n".join(lines[at + 1 :]), (found[9] or "").strip(), name.strip()))
