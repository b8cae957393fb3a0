"""The poster of sound alone: how loud it is from beginning to end, as bars. Runs in children only: it imports av."""

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import av
from av.audio.resampler import AudioResampler
from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.media.containers import HEAD_BYTES, container_of
from server.media.demux import Descriptor, open_container
from server.media.pictures import DecodeError

WIDTH, HEIGHT = 1280, 720
BARS = 160
BAR, GAP = 5, 3  # pixels
RATE = 4000  # hertz that peaks are looked for in
MAX_S = 4 * 3600  # of sound that is looked at
FULL = 32768
# Of video signals in full range: near black, and a light grey.
GROUND_DOT = bytes([24])
GROUND_BAR, INK_BAR = GROUND_DOT * BAR, bytes([205]) * BAR
LEAST = 4  # pixels of a silent bar


def drawn(source: int) -> VideoFrame:
    """Raises DecodeError, FFmpegError."""
    container = container_of(Descriptor(source).read(HEAD_BYTES))
    if container is None:
        raise DecodeError("it is no media")
    with open_container(source, container) as opened:
        if not opened.streams.audio:
            raise DecodeError("it has no sound")
        peaks = _peaks(opened)
    if not peaks:
        raise DecodeError("its sound can't be decoded")
    return _picture(_bars(peaks))


def _peaks(opened: "av.container.InputContainer") -> "array[int]":
    """The loudest sample of each frame, 0 to 32768; what is damaged is passed over."""
    resampler = AudioResampler("s16", "mono", RATE, RATE // 20)
    peaks, damaged = array("i"), 0
    for packet in opened.demux(audio=0):
        try:
            frames: list[Any] = packet.decode()
        except FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            for small in resampler.resample(frame):
                samples = memoryview(small.planes[0]).cast("B")[: small.samples * 2].cast("h").tolist()
                peaks.append(max(max(samples), -min(samples)) if samples else 0)
        if len(peaks) >= MAX_S * 20:
            break
    return peaks


def _bars(peaks: Sequence[int]) -> list[float]:
    """BARS heights, 0 to 1, the loudest being 1 unless it is next to silence."""
    edges = [number * len(peaks) // BARS for number in range(BARS + 1)]
    heights = [max(peaks[start : max(end, start + 1)]) for start, end in pairwise(edges)]
    loudest = max(max(heights), FULL // 100)
    return [height / loudest for height in heights]


def _picture(bars: Sequence[float]) -> VideoFrame:
    frame = VideoFrame(WIDTH, HEIGHT, "yuvj420p")
    plane = frame.planes[0]
    heights = [max(LEAST, round(bar * HEIGHT * 0.7)) for bar in bars]
    rows: dict[int, bytes] = {}
    canvas = bytearray()
    for row in range(HEIGHT):
        reach = abs(2 * row + 1 - HEIGHT)
        if reach not in rows:
            line = b"".join((INK_BAR if reach < height else GROUND_BAR) + GAP * GROUND_DOT for height in heights)
            rows[reach] = line[:WIDTH].ljust(plane.line_size, GROUND_DOT)
        canvas += rows[reach]
    plane.update(bytes(canvas[: plane.buffer_size]).ljust(plane.buffer_size, GROUND_DOT))
    for chroma in frame.planes[1:]:
        chroma.update(b"\x80" * chroma.buffer_size)
    return frame
