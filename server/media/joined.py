"""The packets of a file whose clock begins anew in the middle, on one timeline. Runs in children only: it imports av.

Such a file can't be sought in: all packets before the wanted moment are looked at, and none of them is decoded.
"""

from collections.abc import Iterator
from fractions import Fraction

from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from server.media.continuity import Clock
from server.media.orders import TIMESCALE

TIME_BASE = Fraction(1, TIMESCALE)
MAX_HELD = 4096  # packets of two groups of pictures; where there are more, decoding begins with the first of them


def packets(opened: InputContainer, stream: int, start_s: float) -> "Iterator[Packet[Stream]]":
    """Those of one stream, with times of the presentation; by the clock of all, so that they stay in step."""
    clock = Clock(start_s, mended=True)
    all_ = [each for each in opened.streams if isinstance(each, VideoStream | AudioStream)]
    found = opened.demux(all_)
    while True:
        try:
            packet = next(found)
        except (StopIteration, FFmpegError):  # what came until a file breaks off is shown
            return
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None:
            if packet.stream.index == stream and not packet.size:  # its own index is 0 whatever it is of
                yield packet  # the flush at the end
            continue
        time = clock.at(packet.stream_index, ticks, packet.time_base)
        if packet.stream_index == stream:
            packet.pts, packet.dts, packet.time_base = time, None, TIME_BASE
            yield packet


def since(found: "Iterator[Packet[Stream]]", moment: int) -> "Iterator[Packet[Stream]]":
    """From the key frame on that leads to the picture on show at a moment."""
    before: list[Packet[Stream]] = []
    group: list[Packet[Stream]] = []
    for packet in found:
        if packet.is_keyframe:
            before, group = group, []
        group.append(packet)
        if packet.pts is None or packet.pts >= moment or len(before) + len(group) > MAX_HELD:
            break
    later = group[0].pts if group else None
    if later is not None and later > moment:
        yield from before
    yield from group
    yield from found
