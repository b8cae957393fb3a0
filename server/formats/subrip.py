"""SubRip (.srt), which has no standard: numbered blocks with times, and a few tags of HTML; read as WebVTT.

    1
    00:00:01,000 --> 00:00:04,000
    What is <i>said</i>
"""

import re
from collections.abc import Sequence

from server.formats import webvtt
from server.formats.webvtt import ARROW, MAX_CUES, Cue, TextError, TextTrack

_TIMES = re.compile(
    r"(\d{1,4}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})\s*-->\s*(\d{1,4}):(\d{1,2}):(\d{1,2})[,.](\d{1,3})(?:\s+.*)?", re.ASCII
)
_KEPT = re.compile(r"<(/?)([biu])>", re.IGNORECASE)
_OTHER = re.compile(r"</?[A-Za-z][^<>]*>|\{\\[^{}]*\}")
_ON_TOP = re.compile(r"\{\\an[789]\}")  # of SubStation Alpha, in use here too: at the upper edge
TOP = "line:0"


def read(text: str) -> TextTrack:
    """Raises TextError."""
    cues: list[Cue] = []
    for number, lines in webvtt.blocks(text.removeprefix("\ufeff")):
        lines = [line.strip() for line in lines if line.strip()]
        if not lines:
            continue
        at = 0 if ARROW in lines[0] else 1
        if len(lines) <= at or ARROW not in lines[at]:
            if cues and not lines[0].isdecimal():  # an empty line within a text
                cues[-1] = _longer(cues[-1], lines)
                continue
            raise TextError(number + at, "the times of a subtitle are expected here")
        cues.append(_cue(number + at, lines[at], lines[at + 1 :]))
        if len(cues) > MAX_CUES:
            raise TextError(number, f"more than {MAX_CUES:,} subtitles")
    return TextTrack(webvtt.in_order(cue for cue in cues if cue.text))


def looks_like(text: str) -> bool:
    """Whether a file that is no WebVTT is this."""
    return ARROW in text[:4096] and not text.removeprefix("\ufeff").startswith("WEBVTT")


def cue_text(text: str) -> tuple[str, str]:
    """One subtitle's text, as containers carry it, as a WebVTT cue has it; and the cue's settings."""
    return payload(text), TOP if _ON_TOP.search(text) else ""


def _cue(number: int, times: str, lines: Sequence[str]) -> Cue:
    found = _TIMES.fullmatch(times)
    if found is None:
        raise TextError(number, "times look like 00:00:01,000 --> 00:00:04,000")
    start, end = _milliseconds(found.group(1, 2, 3, 4)), _milliseconds(found.group(5, 6, 7, 8))
    text, settings = cue_text("\n".join(lines))
    return webvtt.checked(number, Cue(start, end, text, settings))


def _milliseconds(parts: Sequence[str]) -> int:
    hours, minutes, seconds, fraction = parts
    return webvtt.milliseconds(hours, minutes, seconds, fraction.ljust(3, "0"))


def _longer(cue: Cue, lines: Sequence[str]) -> Cue:
    return Cue(cue.start_ms, cue.end_ms, "\n".join([cue.text, payload("\n".join(lines))]), cue.settings, cue.name)


def payload(text: str) -> str:
    """Text with tags as a WebVTT cue has it: bold, italics and underline stay, other tags go, the rest is escaped."""
    pieces: list[str] = []
    at = 0
    for tag in _KEPT.finditer(text):
        pieces += [_escaped(text[at : tag.start()]), f"<{tag[1]}{tag[2].lower()}>"]
        at = tag.end()
    return "".join([*pieces, _escaped(text[at:])])


def _escaped(text: str) -> str:
    return _OTHER.sub("", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
