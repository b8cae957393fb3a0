"""Captions as renditions beside pictures and sound: a WebVTT file of each language, whole.

    {prefix}{folder}/media.m3u8     TextPlaylist: one segment, as long as the presentation
    {prefix}{folder}/all.vtt        that segment: its header says where the presentation begins on the media's clock
    {prefix}{folder}/{from}.vtt     for DASH: times counted from so many milliseconds of the presentation on

One segment, because captions of hours are small, and a cue that lasts across a cut would be in two of them: players
show such a one twice, or let it flicker.
"""

from dataclasses import dataclass
from math import ceil

from server.formats.m3u8.media import MediaPlaylist, Segment

WHOLE = "all.vtt"
RATE = 1_000  # bits a second that manifests give: a fast talker's


@dataclass(frozen=True, slots=True)
class TextFacts:
    """Captions as players choose by them."""

    folder: str  # in URLs
    language: str  # BCP 47
    name: str  # what viewers read
    default: bool = False


def text_playlist(duration_s: float) -> str:
    """The playlist of any language. Its TARGETDURATION may differ from the others' (RFC 8216bis 6.2.4)."""
    duration_s = max(duration_s, 1.0)
    return MediaPlaylist(
        target_duration_s=ceil(duration_s), playlist_type="VOD", segments=(Segment(WHOLE, duration_s),), ended=True
    ).render()


def stretch_name(start_s: float) -> str:
    """The file with times that count from there on."""
    return f"{round(start_s * 1000)}.vtt"
