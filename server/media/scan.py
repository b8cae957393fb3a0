"""One pass over the beginning of a file: what its streams hold, and whether they can be decoded.

Runs in children only: it imports av. Facts that only packets tell are taken here, once for all streams: first and
last times, key frames, how evenly pictures are spaced, the first coded bytes, a first decoded frame.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from server.formats.fmp4.movie import MAX_GOP_S
from server.media.continuity import Clock
from server.media.facts import uneven
from server.media.ticks import TIMESCALE

Media = VideoStream | AudioStream

# Of a file whose index tells the rest: enough for a frame of each stream.
BRIEF_S = 0.5
# Longer than MAX_GOP_S, so that key frames too far apart are seen.
SCAN_S = MAX_GOP_S + 2
SCAN_PACKETS = 20_000
SCAN_BYTES = 96 << 20  # twelve seconds at 64 Mbit/s; of more, less is looked at
# Packets tried until a frame comes out; MPEG-TS may begin in the middle of a GOP.
DECODE_TRIES = 1000
BRIEF_TRIES = 1  # of pictures: the first key frame, which comes out when the decoder is drained
# Decoding does not go on for ever on a file of damaged pictures.
MAX_FAILURES = 300
# Of a file that does not tell how long it is: a day of television.
LENGTH_PACKETS = 20_000_000
@dataclass(slots=True)
class Seen:
    """What was seen of one stream; times are seconds on libav's clock."""

    stream: Media
    packets: int = 0
    size: int = 0
    first: bytes = b""  # the first whole packet, of pictures the first key frame
    begin_s: float | None = None
    end_s: float = 0.0
    times: list[float] = field(default_factory=list)  # of pictures, in the order of decoding
    keys: list[float] = field(default_factory=list)
    frame: VideoFrame | AudioFrame | None = None
    tries: int = 0
    most_tries: int = DECODE_TRIES
    failure: str = ""
    untimed: bool = False  # a picture came without the time it is shown at

    @property
    def open(self) -> bool:
        """Whether it is to be decoded yet."""
        return self.frame is None and self.tries < self.most_tries

    @property
    def span_s(self) -> float:
        return 0.0 if self.begin_s is None else self.end_s - self.begin_s

    @property
    def bit_rate(self) -> int | None:
        return round(self.size * 8 / self.span_s) if self.span_s > 0.5 else None

    def key_interval_s(self, whole: bool) -> float | None:
        """The longest way between key frames; the way to the end of what was seen counts unless `whole`."""
        if not self.keys:
            return None
        ends = sorted(self.keys)
        ends.append(max(ends[-1], self.end_s))
        gaps = [after - before for before, after in pairwise(ends)]
        return max(gaps[:-1], default=gaps[-1]) if whole and len(gaps) > 1 else max(gaps)

    @property
    def variable(self) -> bool:
        """Whether pictures are unevenly spaced."""
        return uneven([after - before for before, after in pairwise(sorted(self.times))])


@dataclass(slots=True)
class Scan:
    seen: dict[int, Seen]
    whole: bool = False  # the end of the file was reached


def scan(opened: InputContainer, streams: Iterable[Media], clock: Clock, to_end: bool, span_s: float = SCAN_S) -> Scan:
    """Look at `span_s` of the streams; with `to_end`, or where its clock breaks, the file is demuxed for its length.

    Raises FFmpegError.

    A file that breaks off is read as far as it goes.
    """
    found = Scan({stream.index: Seen(stream) for stream in streams})
    if span_s <= BRIEF_S:
        for each in found.seen.values():
            each.most_tries = BRIEF_TRIES if isinstance(each.stream, VideoStream) else DECODE_TRIES
    size = 0
    enough = False
    try:
        for count, packet in enumerate(opened.demux()):
            seen = found.seen.get(packet.stream_index)
            if packet.size == 0 and packet.pts is None:
                continue  # the flush at the end
            if seen is not None:
                _take(seen, packet, clock, enough)
            size += packet.size
            enough = enough or _enough(found, count, size, span_s)
            if (enough and not to_end and not clock.jumps) or count > LENGTH_PACKETS:
                break
        else:
            found.whole = True
    except FFmpegError:
        if not any(seen.packets for seen in found.seen.values()):
            raise
        found.whole = True
    _drain(found)
    return found


def _enough(found: Scan, count: int, size: int, span_s: float) -> bool:
    if count >= SCAN_PACKETS or size >= SCAN_BYTES:
        return True
    return all(seen.packets and not seen.open and seen.span_s >= span_s for seen in found.seen.values()) or any(
        seen.span_s >= 2 * span_s and not seen.open for seen in found.seen.values()
    )


def _take(seen: Seen, packet: "Packet[Stream]", clock: Clock, enough: bool) -> None:
    seen.packets += 1
    _note_times(seen, packet, clock, enough)
    if enough:
        return
    seen.size += packet.size
    video = isinstance(seen.stream, VideoStream)
    if not seen.first and packet.size and (packet.is_keyframe or not video):
        seen.first = bytes(packet)
    if seen.open and packet.size:
        _decode(seen, packet)


def _note_times(seen: Seen, packet: "Packet[Stream]", clock: Clock, enough: bool) -> None:
    time = packet.pts if packet.pts is not None else packet.dts
    if time is None or packet.time_base is None:
        return
    base: Fraction = packet.time_base
    at_s = clock.at(seen.stream.index, time, base) / TIMESCALE
    # Pictures before the first key frame are never seen; what is discarded is a codec's run-up.
    if seen.begin_s is None and not packet.is_discard and (packet.is_keyframe or seen.stream.type == "audio"):
        seen.begin_s = at_s
    seen.end_s = max(seen.end_s, at_s + float((packet.duration or 0) * base))
    seen.untimed = seen.untimed or packet.pts is None
    if isinstance(seen.stream, VideoStream) and not enough:
        seen.times.append(at_s)
        if packet.is_keyframe:
            seen.keys.append(at_s)


def _decode(seen: Seen, packet: "Packet[Stream] | None") -> None:
    if seen.stream.codec_context is None:
        seen.tries = DECODE_TRIES
        return
    seen.tries += 1
    try:
        frames = seen.stream.codec_context.decode(packet)
    except FFmpegError as error:
        seen.failure = error.strerror or str(error)
        seen.tries += DECODE_TRIES // MAX_FAILURES
        return
    frame = next(iter(frames), None)
    seen.frame = frame if isinstance(frame, VideoFrame | AudioFrame) else None


def _drain(found: Scan) -> None:
    """What decoders hold back, where nothing came out of them yet."""
    for seen in found.seen.values():
        if seen.frame is None and seen.packets and seen.stream.codec_context is not None:
            _decode(seen, None)
