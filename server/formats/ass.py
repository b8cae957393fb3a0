"""SubStation Alpha dialogue as Matroska carries it, one line of the script in a packet; read as text of WebVTT.

    ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text

Bold, italics and underlining stay, and whether it is shown at the upper edge; colours, moves and drawings go.
Source: Matroska, "Subtitles" (codec mappings S_TEXT/ASS, S_TEXT/SSA).
"""

import re

from server.formats.subrip import TOP, payload

FIELDS_BEFORE_TEXT = 8
_OVERRIDES = re.compile(r"\{([^{}]*)\}")
_TAG = re.compile(r"\\([biu])(\d*)(?![a-z])")
_DRAWING = re.compile(r"\\p([1-9]\d*)")
_ON_TOP = re.compile(r"\\an?[789](?!\d)")


def dialogue(packet: bytes) -> tuple[str, str]:
    """The cue's text, and its settings; an empty text is nothing to be shown."""
    line = packet.partition(b"\0")[0].decode("utf-8", "replace")  # some writers leave what follows as it was
    fields = line.split(",", FIELDS_BEFORE_TEXT)
    text = fields[-1] if len(fields) > FIELDS_BEFORE_TEXT else ""
    settings = TOP if any(_ON_TOP.search(found[1]) for found in _OVERRIDES.finditer(text)) else ""
    return payload(_with_tags(text)), settings


def _with_tags(text: str) -> str:
    """Its overrides as the tags of HTML, and its line ends."""
    open_tags: list[str] = []
    pieces: list[str] = []
    at, drawing = 0, False
    for found in _OVERRIDES.finditer(text):
        if not drawing:
            pieces.append(_plain(text[at : found.start()]))
        for tag in _TAG.finditer(found[1]):
            pieces += _switched(open_tags, tag[1], tag[2] not in ("", "0"))
        if r"\p" in found[1]:
            drawing = bool(_DRAWING.search(found[1])) or (drawing and r"\p0" not in found[1])
        at = found.end()
    if not drawing:
        pieces.append(_plain(text[at:]))
    return "".join([*pieces, *(f"</{name}>" for name in reversed(open_tags))])


def _switched(open_tags: list[str], name: str, on: bool) -> list[str]:
    """Tags that begin or end a style; those begun later end with it and begin again."""
    if on == (name in open_tags):
        return []
    if on:
        open_tags.append(name)
        return [f"<{name}>"]
    inner = open_tags[open_tags.index(name) + 1 :]
    open_tags.remove(name)
    return [*(f"</{each}>" for each in reversed(inner)), f"</{name}>", *(f"<{each}>" for each in inner)]


def _plain(text: str) -> str:
    """`\\N` ends a line; `\\n` does only where lines are not broken by themselves, which they are."""
    return text.replace(r"\N", "\n").replace(r"\n", " ").replace(r"\h", "\u00a0")
