"""Codecs that libav knows by no name, or takes for others: told by our own readers of the container. No libav here."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.formats.fmp4.foreign import ForeignBox, Mp4Error, Read, read_moov
from server.formats.fmp4.tracks import CODEC_NAMES, TrackHeader, track_headers
from server.media.problems import Unreadable

UNNAMED = {b"mhm1", b"mhm2", b"mha1", b"mha2", b"ac-4"}
# An audio element in several streams, which libav shows as so many of their own.
LAYERED = b"iamf"
ENCRYPTED = {b"encv", b"enca"}


@dataclass(frozen=True, slots=True)
class Foreign:
    """Names of what no decoder should be asked for."""

    by_id: Mapping[int, str] = field(default_factory=dict)  # libav's id of the stream: the PID in MPEG-TS
    sounds: str = ""  # of every sound in the file
    unnamed: str = ""  # of those that libav has no name for

    def name_of(self, id: int, kind: str, named: bool) -> str:
        if kind != "audio":
            return ""
        return self.by_id.get(id) or self.sounds or ("" if named else self.unnamed)


NO_FOREIGN = Foreign()


def in_mp4(read: Read, size: int) -> Foreign:
    """Of an MP4 whose index makes sense. Raises Unreadable for what is encrypted."""
    headers: list[TrackHeader] = []
    with contextlib.suppress(Mp4Error):
        headers = list(track_headers(ForeignBox(b"moov", memoryview(read_moov(read, size)))))
    codecs = {header.codec for header in headers}
    if codecs & ENCRYPTED:
        raise Unreadable("encrypted", "found: an MP4 with encrypted tracks")
    unnamed = ", ".join(sorted({CODEC_NAMES[codec] for codec in codecs & UNNAMED}))
    return Foreign(sounds=CODEC_NAMES[LAYERED] if LAYERED in codecs else "", unnamed=unnamed)
