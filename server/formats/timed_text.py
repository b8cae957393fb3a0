"""Samples of text as MP4 carries them: 3GPP timed text (tx3g, also QuickTime's), and WebVTT (wvtt).

Source: 3GPP TS 26.245 5.17 (text samples and their modifiers); ISO/IEC 14496-30 7 (WebVTT in boxes).
"""

from collections.abc import Iterator
from struct import error as StructError  # noqa: N812 - the class is named in lower case
from struct import iter_unpack, unpack_from

from server.formats.fmp4.box import BoxError, walk
from server.formats.subrip import payload

BOLD, ITALIC, UNDERLINE = 1, 2, 4
FACES = ((BOLD, "b"), (ITALIC, "i"), (UNDERLINE, "u"))
MAX_STYLES = 256  # of one sample; a letter each in a line


def text_sample(sample: bytes) -> str:
    """The text of a tx3g sample as a WebVTT cue has it; empty where it only ends the one before."""
    if len(sample) < 2:
        return ""
    (size,) = unpack_from(">H", sample)
    data = sample[2 : 2 + size]
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16" if wide else "utf-8", "replace").replace("\0", "").replace("\r", "\n")
    return payload(_styled(text, sorted(_styles(sample[2 + size :]))))


def _styles(modifiers: bytes) -> Iterator[tuple[int, int, int]]:
    """From, to (characters) and face flags of each style; those that are not understood are passed over."""
    try:
        for each in walk(modifiers):
            if each.type == b"styl":
                (count,) = unpack_from(">H", modifiers, each.start)
                rows = modifiers[each.start + 2 : min(each.end, each.start + 2 + 12 * min(count, MAX_STYLES))]
                yield from iter_unpack(">HH2xB5x", rows[: len(rows) // 12 * 12])
    except (BoxError, StructError):
        return


def _styled(text: str, styles: list[tuple[int, int, int]]) -> str:
    pieces: list[str] = []
    at = 0
    for start, stop, face in styles:
        names = [name for flag, name in FACES if face & flag]
        if start < at or stop <= start or not names:
            continue
        inner = text[start:stop]
        pieces += [text[at:start], *(f"<{name}>" for name in names), inner, *(f"</{name}>" for name in names[::-1])]
        at = stop
    return "".join([*pieces, text[at:]])


def webvtt_sample(sample: bytes) -> list[tuple[str, str]]:
    """Text and settings of each cue of a wvtt sample; none where nothing is shown. What is no box is text as it is."""
    try:
        return [_cue(sample, each.start, each.end) for each in walk(sample) if each.type == b"vttc"]
    except BoxError:
        return [(sample.decode("utf-8", "replace"), "")]


def _cue(sample: bytes, start: int, end: int) -> tuple[str, str]:
    parts = {each.type: sample[each.start : each.end].decode("utf-8", "replace") for each in walk(sample, start, end)}
    return parts.get(b"payl", ""), parts.get(b"sttg", "")
