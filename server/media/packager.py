"""The child that copies streams of a source into fragmented MP4, as they are.

    arguments  {"source": fd, "growth": null, or Growth.told of one that still comes, "container": name, "start_s",
                "target_s", "tracks": [fields of Copy, "output": fd]}
    events     {"event": "described", ...}    fields of orders.Described, init in base64
               {"event": "segment", ...}      fields of orders.Segment
               {"event": "problem", "code", "detail"}

The same file and target give the same segments, so that a second run can go on behind what a first one wrote.
"""

import base64
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from server.formats import flac, opus
from server.formats.aac import AacError
from server.formats.adts import HEADER
from server.formats.annexb import start_codes
from server.formats.avc import NAL_PPS, NAL_SPS, AvcDecoderConfiguration, four_byte_lengths
from server.formats.fmp4.box import find
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_header, video_header
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig
from server.media import guard, passing
from server.media.containers import BY_NAME
from server.media.continuity import Clock, is_broken
from server.media.demux import open_container
from server.media.growing import Source
from server.media.passing import FORMAT_ERRORS, Coded, Unpassable
from server.media.picture_segments import Picture, PictureSegment, PictureSegments, Piece, UncuttableError
from server.media.sound_segments import SoundSegment, SoundSegments
from server.media.ticks import TIMESCALE

MAX_PIECES = 1000  # of one writev(2): IOV_MAX is 1024
VISUAL_ENTRY_BYTES = 86
AVC_DROPPED = frozenset({NAL_SPS, NAL_PPS, 9, 10, 11, 12, 13})  # sets are in the sample entry; delimiters, filler
HEVC_DROPPED = frozenset({32, 33, 34, 35, 36, 37, 38})
LAST_PICTURE = TIMESCALE // 25  # of one that does not tell how long it is shown


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        source = Source(arguments["source"], arguments.get("growth"))
        with open_container(source, BY_NAME[arguments["container"]]) as opened:
            _copy(opened, arguments, say)
    except FFmpegError as error:
        say({"event": "problem", "code": "invalid", "detail": f"the file can't be read ({error.strerror})"})
    except (Unpassable, UncuttableError, *FORMAT_ERRORS) as error:
        say({"event": "problem", "code": "unsupported", "detail": f"it can't be passed through: {error}"})


def _copy(opened: InputContainer, arguments: dict[str, Any], say: guard.Say) -> None:
    clock = Clock(arguments["start_s"], is_broken(BY_NAME[arguments["container"]]))
    streams = {stream.index: stream for stream in opened.streams}
    tracks = [_track(streams, each, clock, arguments, say) for each in arguments["tracks"]]
    take = {track.stream.index: track.take for track in tracks}
    sounds = [track for track in tracks if isinstance(track, SoundTrack)]
    for packet in opened.demux([track.stream for track in tracks]):
        if packet.size and not packet.is_discard and (times := take[packet.stream_index](packet)):
            _cut(sounds, times)
    ends = [end for track in tracks if isinstance(track, PictureTrack) for end in track.finish()]
    _cut(sounds, ends[:-1])
    for sound in sounds:
        sound.finish(ends[-1] if ends else None)


def _cut(sounds: "Sequence[SoundTrack]", times: Iterable[int]) -> None:
    for time in times:
        for sound in sounds:
            sound.cut(time)


def _track(
    streams: dict[int, Stream], told: dict[str, Any], clock: Clock, arguments: dict[str, Any], say: guard.Say
) -> "PictureTrack | SoundTrack":
    if told["stream"] not in streams:
        raise Unpassable(f"it has no stream {told['stream']}")
    stream = streams[told["stream"]]
    target_s = arguments["target_s"]
    if told["kind"] == "video":
        return PictureTrack(stream, told, clock, say, target_s)
    with_pictures = any(each["kind"] == "video" for each in arguments["tracks"])
    return SoundTrack(stream, told, clock, say, target_s, with_pictures)


class _Writer:
    """Init segment and segments of one rendition; segments before `first` are counted, not written."""

    def __init__(self, told: dict[str, Any], say: guard.Say) -> None:
        self._told = told
        self._say = say

    def describe(self, config: TrackConfig) -> None:
        event: dict[str, Any] = {
            "event": "described",
            "rendition": self._told["name"],
            "init": base64.b64encode(init_segment(config)).decode(),
            "codec": config.codec,
            "timescale": config.timescale,
        }
        if isinstance(config, VideoConfig):
            event |= {"width": config.width, "height": config.height, "frame_rate": self._told["frame_rate"]}
        else:
            event |= {"channels": config.channels}
        self._say(event)

    def segment(self, number: int, start: int, end: int, pieces: Sequence[Piece], size: int) -> None:
        if number < self._told["first"]:
            return
        _write(self._told["output"], pieces)
        event = {"event": "segment", "rendition": self._told["name"], "number": number, "start": start}
        self._say({**event, "duration": end - start, "size": size})


def _write(fd: int, pieces: Sequence[Piece]) -> None:
    for at in range(0, len(pieces), MAX_PIECES):
        left = list(pieces[at : at + MAX_PIECES])
        while left:
            done = os.writev(fd, left)
            while left and done >= len(left[0]):
                done -= len(left.pop(0))
            if done:
                left[0] = memoryview(left[0])[done:]


class _Track:
    """What both kinds share: a stream, its codec and its times."""

    def __init__(self, stream: Stream, told: dict[str, Any], clock: Clock, say: guard.Say) -> None:
        self.stream = stream
        self._told = told
        self._clock = clock
        self._writer = _Writer(told, say)
        self._codec = stream.codec_context.codec.canonical_name
        self._extradata = bytes(stream.codec_context.extradata or b"")
        assert stream.time_base is not None
        self._base = stream.time_base
        self._up, self._down = self._base.numerator * TIMESCALE, self._base.denominator

    def _time(self, packet: "Packet[Stream]") -> int | None:
        """When the packet is shown, ticks of TIMESCALE from the presentation's begin."""
        ticks = packet.pts
        if ticks is None and (ticks := packet.dts) is None:
            return None
        return self._clock.at(packet.stream_index, ticks, self._base)

    def _coded(self, packet: "Packet[Stream]") -> Coded:
        return Coded(self._codec, self._extradata, bytes(packet))



class PictureTrack(_Track):
    def __init__(self, stream: Stream, told: dict[str, Any], clock: Clock, say: guard.Say, target_s: float) -> None:
        super().__init__(stream, told, clock, say)
        self._segments = PictureSegments(target_s)
        self._config: VideoConfig | None = None
        self._length_size = 4
        self._byte_stream = False
        self._sets: frozenset[bytes] = frozenset()
        self._end = 0

    def take(self, packet: "Packet[Stream]") -> Sequence[int]:
        """When the segments end that this picture completes, ticks."""
        pts = self._time(packet)
        key = packet.is_keyframe
        if pts is None or (self._config is None and not key):
            return ()
        if self._config is None:
            self._begin(packet)
        elif key and packet.has_sidedata("new_extradata"):
            raise Unpassable("its pictures change their format")
        length = (packet.duration or 0) * self._up // self._down
        self._end = max(self._end, pts + (length or LAST_PICTURE))
        pieces, size = self._pieces(packet, key)
        if not size:
            return ()
        return self._written(self._segments.add(Picture(pts, key, pieces, size)))

    def finish(self) -> Sequence[int]:
        """As take, of the rest."""
        if self._config is None:
            raise Unpassable("it has no key frame")
        return self._written(self._segments.finish(self._end))

    def _begin(self, packet: "Packet[Stream]") -> None:
        coded = self._coded(packet)
        config = passing.video_config(coded)
        if self._codec in ("h264", "hevc"):
            self._byte_stream = passing.is_byte_stream(coded)
            if not self._byte_stream:
                self._length_size = (self._extradata[4 if self._codec == "h264" else 21] & 3) + 1
        self._config = replace(_shaped(config, self._told), timescale=TIMESCALE, language=self._told["language"])
        self._sets = _sets_of(self._config, self._codec)
        self._writer.describe(self._config)

    def _pieces(self, packet: "Packet[Stream]", key: bool) -> tuple[Sequence[Piece], int]:
        """The access unit as fragmented MP4 has it."""
        if self._byte_stream:
            return self._of_byte_stream(memoryview(packet), key)
        if self._length_size != 4:
            data = four_byte_lengths(bytes(packet), self._length_size)
            return [data], len(data)
        return [memoryview(packet)], packet.size

    def _of_byte_stream(self, data: memoryview, key: bool) -> tuple[Sequence[Piece], int]:
        """Lengths for start codes. Parameter sets are in the sample entry, and may not change."""
        pieces, size = list[Piece](), 0
        avc = self._codec == "h264"
        dropped = AVC_DROPPED if avc else HEVC_DROPPED
        for begin, end in start_codes(data):
            kind = data[begin] & 31 if avc else data[begin] >> 1 & 63
            if kind in dropped:
                if key and self._sets and kind in (7, 8, 32, 33, 34) and bytes(data[begin:end]) not in self._sets:
                    raise Unpassable("its pictures change their format")
                continue
            pieces += ((end - begin).to_bytes(4, "big"), data[begin:end])
            size += 4 + end - begin
        return pieces, size

    def _written(self, segments: Iterable[PictureSegment]) -> Sequence[int]:
        ends = []
        for each in segments:
            header = video_header(each.number + 1, each.base, each.sizes, each.durations, each.cts, each.keys)
            size = len(header) + sum(each.sizes)
            self._writer.segment(each.number, each.base, each.end, [header, *each.payload], size)
            ends.append(each.end)
        return ends


def _shaped(config: VideoConfig, told: dict[str, Any]) -> VideoConfig:
    """With the container's word on pixel shape and rotation, which rules over the stream's."""
    entry = config.sample_entry
    sar = tuple(told["sar"]) if told["sar"] else config.sar
    if sar != config.sar and (found := find(entry, b"pasp", start=VISUAL_ENTRY_BYTES)) is not None:
        shape = b"".join(side.to_bytes(4, "big") for side in sar)
        entry = entry[: found.start] + shape + entry[found.end :]
    return replace(config, sar=sar, rotation=told["rotation"], sample_entry=entry)


def _sets_of(config: VideoConfig, codec: str) -> frozenset[bytes]:
    """The parameter sets in an avc1 entry; empty for other codecs, whose sets are not compared."""
    if codec != "h264":
        return frozenset()
    found = find(config.sample_entry, b"avcC", start=VISUAL_ENTRY_BYTES)
    if found is None:
        return frozenset()
    record = AvcDecoderConfiguration.parse(config.sample_entry[found.start : found.end])
    return frozenset({*record.sps, *record.pps})


class SoundTrack(_Track):
    def __init__(
        self,
        stream: Stream,
        told: dict[str, Any],
        clock: Clock,
        say: guard.Say,
        target_s: float,
        with_pictures: bool,
    ) -> None:
        super().__init__(stream, told, clock, say)
        self._target_s, self._with_pictures = target_s, with_pictures
        self._segments: SoundSegments | None = None
        self._config: AudioConfig | None = None
        self._adts: tuple[int, int] | None = None  # what tells the configuration, of the first frame's header
        self._varies = self._codec in ("opus", "flac")  # frames of several lengths

    def take(self, packet: "Packet[Stream]") -> Sequence[int]:
        """Nothing that others are cut by."""
        time = self._time(packet)
        if time is None:
            return ()
        if self._config is None or self._segments is None:
            self._begin(packet)
        assert self._config is not None
        assert self._segments is not None
        frame = bytes(packet) if self._adts is None else self._raw(bytes(packet), self._adts)
        length = self._length(frame) if self._varies else self._config.frame_length
        if whole := self._segments.add(time * self._config.timescale // TIMESCALE, length, frame):
            self._written(whole)
        return ()

    def cut(self, time: int) -> None:
        """The pictures are cut at `time`, ticks of TIMESCALE."""
        if self._segments is not None:
            self._written(self._segments.cut(time, TIMESCALE))

    def finish(self, pictures_end: int | None) -> None:
        if self._segments is not None:
            self._written(self._segments.finish(pictures_end, TIMESCALE))

    def _begin(self, packet: "Packet[Stream]") -> None:
        config = passing.sound_config(self._coded(packet))
        if self._codec == "aac" and not self._extradata:
            self._adts = _adts_shape(bytes(packet))
        self._config = config = replace(config, language=self._told["language"])
        self._segments = SoundSegments(config, self._target_s, self._with_pictures)
        self._writer.describe(config)

    def _raw(self, data: bytes, shape: tuple[int, int]) -> bytes:
        """Of a frame with its ADTS header, which libav's parser gives one a packet."""
        if _adts_shape(data) != shape:
            raise Unpassable("its sound changes its format")
        return data[HEADER if data[1] & 1 else HEADER + 2 :]

    def _length(self, frame: bytes) -> int:
        """Of a frame in a codec whose frames have several lengths, in samples."""
        return opus.packet_samples(frame) if self._codec == "opus" else flac.frame_samples(frame)

    def _written(self, segments: Iterable[SoundSegment]) -> None:
        for each in segments:
            sizes = list(map(len, each.payload))
            header = audio_header(each.number + 1, each.base, sizes, each.durations)
            data = b"".join((header, *each.payload))
            self._writer.segment(each.number, each.base, each.end, [data], len(data))


def _adts_shape(data: bytes) -> tuple[int, int]:
    """Profile, rate and channels of an ADTS header (ISO/IEC 14496-3, 1.A.2.2)."""
    if len(data) < HEADER:
        raise AacError("no ADTS header")
    return data[2], data[3] & 0xC0


if __name__ == "__main__":
    guard.run(work)
