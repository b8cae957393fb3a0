"""FLV files as a live encoder would send them, looped without end."""

from collections.abc import Iterator
from pathlib import Path

SCRIPT, AUDIO, VIDEO = 18, 8, 9
TAG_HEADER = 11


class Flv:
    """The tags of a file with H.264 and AAC: headers apart from the media."""

    def __init__(self, path: Path) -> None:
        self.headers: list[tuple[int, bytes]] = []
        self.media: list[tuple[int, int, bytes]] = []  # kind, milliseconds, payload
        for kind, stamp, payload in _tags(path.read_bytes()):
            if kind == SCRIPT or (kind == VIDEO and payload[1] == 0) or (kind == AUDIO and payload[1] == 0):
                self.headers.append((kind, payload))
            elif kind == AUDIO or payload[1] == 1:  # an end of sequence is 2
                self.media.append((kind, stamp, payload))
        first = self.media[0][1]
        self.media = [(kind, stamp - first, payload) for kind, stamp, payload in self.media]
        pictures = [stamp for kind, stamp, _ in self.media if kind == VIDEO]
        keys = [stamp for kind, stamp, payload in self.media if kind == VIDEO and payload[0] >> 4 == 1]
        frame_ms = (pictures[-1] - pictures[0]) / (len(pictures) - 1)
        self.duration_ms = round(pictures[-1] - pictures[0] + frame_ms)
        self.gop_ms = keys[1] - keys[0] if len(keys) > 1 else self.duration_ms

    def loop(self) -> Iterator[tuple[int, int, bytes, int | None]]:
        """Kind, timestamp in milliseconds, payload, and of pictures their number in the file."""
        base = 0
        while True:
            frame = 0
            for kind, stamp, payload in self.media:
                if kind == VIDEO:
                    yield kind, base + stamp, payload, frame
                    frame += 1
                else:
                    yield kind, base + stamp, payload, None
            base += self.duration_ms


def _tags(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    if data[:3] != b"FLV":
        raise ValueError("not an FLV file")
    at = int.from_bytes(data[5:9], "big") + 4
    while at + TAG_HEADER <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        stamp = int.from_bytes(data[at + 4 : at + 7], "big") | data[at + 7] << 24
        yield kind, stamp, data[at + TAG_HEADER : at + TAG_HEADER + size]
        at += TAG_HEADER + size + 4
