"""Which files can be served by their own index, and that index made: the moov of an MP4 or MOV judged as a whole.

Servable: not fragmented, one H.264 or one AAC track or both, one sample description each, key frames at most
MAX_GOP_S apart, the media in the file itself, an edit list of one piece. Everything else is Unservable, in words.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate, pairwise
from operator import sub

from server.formats.aac import AacError, asc_of, audio_config
from server.formats.avc import AvcDecoderConfiguration, AvcError, video_config
from server.formats.fmp4.box import box, visual_sample_entry
from server.formats.fmp4.foreign import ForeignBox, Mp4Error, Read, read_moov
from server.formats.fmp4.index import MovieIndex, Track
from server.formats.fmp4.samples import MAX_SAMPLES, SampleTable, sample_table
from server.formats.fmp4.tracks import TrackHeader, entry_children, movie_timescale, track_headers
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig

# A segment is a whole GOP at least; longer ones make players wait and segments that fill memory.
MAX_GOP_S = 10
# Bytes of a track in ten seconds, 200 Mbit/s: a segment is put together in memory.
MAX_BURST_BYTES = 256 * 1024 * 1024
BURST_S = 10
# A camera that never stops; longer claims are made up, and a playlist of them would fill memory.
MAX_DURATION_S = 48 * 3600
# From the decoding of a picture to its showing: a slide show with B-frames has minutes.
MAX_COMPOSITION_S = 600
# Level 6.2's largest picture (H.264 table A-1), 8192×4352: decoding one takes 100 MiB.
MAX_PIXELS = 139_264 * 256
# What browsers decode: 8-bit 4:2:0 (baseline, main, high).
WEB_PROFILES = frozenset({66, 77, 100})
COLOUR_KINDS = {b"nclx", b"nclc"}
PLAYABLE = "H.264 video and AAC audio in MP4 or MOV play without conversion"


class Unservable(Exception):
    """A sound file that can't be cut into segments as it is.

    `code` is `unsupported`, `detail` says in words what was found and what is in the way.
    """

    def __init__(self, detail: str, code: str = "unsupported") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_index(read: Read, size: int) -> MovieIndex:
    """Find and parse the index of a file of `size` bytes. Raises Mp4Error, Unservable."""
    return movie_index(read_moov(read, size), size)


def movie_index(moov: bytes, file_size: int) -> MovieIndex:
    """`moov` is the payload of that box. Raises Mp4Error where it is broken, Unservable where it is not for us."""
    root = ForeignBox(b"moov", memoryview(moov))
    headers = list(track_headers(root))
    _refuse_whole(root, headers)
    video, audio = _choose(headers, "video"), _choose(headers, "audio")
    timescale, limit = movie_timescale(root), MAX_SAMPLES
    tracks: dict[str, Track] = {}
    for pick in (video, audio):
        if pick is not None:
            header, config = pick
            tracks[header.kind] = _track(header, config, timescale, file_size, limit)
            limit -= header.count
    if "video" in tracks:
        _check_gops(tracks["video"], headers)
    if len(tracks) == 2:
        _check_together(tracks["video"], tracks["audio"])
    return MovieIndex(file_size, tracks.get("video"), tracks.get("audio"))


def found(headers: Iterable[TrackHeader]) -> str:
    """What a file holds, in words."""
    words = ", ".join(header.words for header in headers)
    return f"found: {words} in MP4" if words else "found: an MP4 without video or audio"


def _refuse(headers: list[TrackHeader], reason: str) -> Unservable:
    return Unservable(f"{found(headers)}; {reason}")


def _refuse_whole(moov: ForeignBox, headers: list[TrackHeader]) -> None:
    """Raise Unservable for what stands against the file as a whole."""
    if moov.find(b"mvex") is not None:
        raise _refuse(headers, "it is fragmented")
    if moov.find(b"cmov") is not None:
        raise Unservable("found: a MOV file with a compressed index")
    if not any(header.count for header in headers):
        raise _refuse(headers, "it holds no samples") if headers else Unservable(found(headers))


def _choose(headers: list[TrackHeader], kind: str) -> tuple[TrackHeader, TrackConfig] | None:
    """The first track of its kind that can be served; Unservable when there are some and none can."""
    tracks = [header for header in headers if header.count]
    if any(header.enabled for header in tracks):
        # Disabled tracks are chapter pictures, alternates and the like.
        tracks = [header for header in tracks if header.enabled]
    reasons = []
    for header in tracks:
        if header.kind == kind:
            config = _config(header)
            if not isinstance(config, str):
                return header, config
            reasons.append(config)
    if reasons:
        raise _refuse(headers, reasons[0])
    return None


def _config(header: TrackHeader) -> TrackConfig | str:
    """How the track is decoded, or why it is not served."""
    entry = header.entries[0]
    if header.outside:
        return "the media lies in another file"
    if entry.kind not in {b"avc1", b"avc3", b"mp4a"}:
        return PLAYABLE
    if len(header.entries) > 1:
        return f"the {header.kind} changes its format {len(header.entries) - 1} times within the file"
    if header.edits.oddity is not None:
        return f"it has {header.edits.oddity}"
    if header.timescale >= 1 << 31:
        raise Mp4Error(f"a track has a clock of {header.timescale} ticks a second")
    try:
        return _video_config(header, entry) if header.kind == "video" else _audio_config(header, entry)
    except (AvcError, AacError) as error:
        return str(error)


def _video_config(header: TrackHeader, entry: ForeignBox) -> VideoConfig | str:
    boxes = entry_children(entry)
    if b"avcC" not in boxes:
        raise Mp4Error("the H.264 track has no decoder configuration (avcC box)")
    avcc = bytes(boxes[b"avcC"].data)
    record = AvcDecoderConfiguration.parse(avcc)
    if record.profile not in WEB_PROFILES:
        return f"browsers do not play H.264 profile {record.profile} (10-bit, 4:2:2 or the like)"
    if record.length_size != 4:
        return f"its pictures have length fields of {record.length_size} bytes"
    config = replace(video_config(avcc, header.timescale), rotation=header.rotation)
    if config.width * config.height > MAX_PIXELS:
        return f"its pictures of {config.width}×{config.height} are larger than H.264 allows"
    return _as_described(config, avcc, boxes)


def _as_described(config: VideoConfig, avcc: bytes, boxes: dict[bytes, ForeignBox]) -> VideoConfig:
    """The configuration with the container's own word on pixel shape and colour, which rules over the stream's."""
    sar = config.sar
    if b"pasp" in boxes:
        told = boxes[b"pasp"].u32(0), boxes[b"pasp"].u32(4)
        sar = told if 0 < told[0] < 1 << 16 and 0 < told[1] < 1 << 16 else sar
    extra = [box(b"avcC", avcc), box(b"pasp", sar[0].to_bytes(4, "big"), sar[1].to_bytes(4, "big"))]
    if b"colr" in boxes and bytes(boxes[b"colr"].part(0, 4)) in COLOUR_KINDS:
        extra.append(box(b"colr", boxes[b"colr"].data))
    entry = visual_sample_entry(b"avc1", config.width, config.height, *extra)
    return replace(config, sar=sar, sample_entry=entry)


def _audio_config(header: TrackHeader, entry: ForeignBox) -> AudioConfig:
    config = audio_config(asc_of(box(entry.kind, entry.data)))
    # The container may count in other ticks than samples: HE-AAC in output samples, old cameras in 1/600 s.
    frame_length = max(1, round(config.frame_length * header.timescale / config.timescale))
    return replace(config, timescale=header.timescale, frame_length=frame_length)


def _track(header: TrackHeader, config: TrackConfig, movie_timescale: int, file_size: int, limit: int) -> Track:
    samples = sample_table(header.stbl, file_size, limit)
    edits = header.edits
    delay = edits.delay * header.timescale // movie_timescale
    end = None
    if edits.length is not None:
        end = delay - (-edits.length * header.timescale // movie_timescale)  # rounded up
    track = Track(config, samples, delay - edits.start, end, header.language)
    _check_times(track, delay, header)
    return track


def _check_times(track: Track, delay: int, header: TrackHeader) -> None:
    """Refuse a track whose samples are shown at no time that can be served."""
    samples, timescale = track.samples, header.timescale
    if samples.sync is not None and not samples.sync:
        raise _refuse([header], "it has no key frames")
    if max(samples.dts[-1], delay) > MAX_DURATION_S * timescale:
        raise _refuse([header], f"it lasts more than {MAX_DURATION_S // 3600} hours")
    if samples.cts and max(max(samples.cts), -min(samples.cts)) > MAX_COMPOSITION_S * timescale:
        raise Mp4Error("the file shows pictures long before or after they are decoded")
    if track.last_shown <= max(0, track.shown(track.keys[0])):
        raise _refuse([header], "its edit list shows nothing of it")
    if _burst(samples, BURST_S * timescale) > MAX_BURST_BYTES:
        raise _refuse([header], f"it has more than {MAX_BURST_BYTES >> 20} MiB in {BURST_S} s")


def _burst(samples: SampleTable, step: int) -> int:
    """The most bytes in any of the stretches of `step` ticks that the track is made of."""
    before = array("Q", accumulate(samples.sizes, initial=0))
    marks = [bisect_left(samples.dts, time) for time in range(0, samples.dts[-1], step)]
    return max((before[b] - before[a] for a, b in pairwise([*marks, len(samples)])), default=0)


def _check_together(video: Track, audio: Track) -> None:
    """Refuse sound that begins long before the picture: the first picture would have to stand still for it."""
    wait_s = video.shown(video.keys[0]) / video.config.timescale - max(0, audio.shown(0)) / audio.config.timescale
    if wait_s > MAX_GOP_S:
        raise Unservable(f"found: a picture that begins {wait_s:.0f} s after the sound; the limit is {MAX_GOP_S} s")


def _check_gops(track: Track, headers: list[TrackHeader]) -> None:
    samples, keys = track.samples, track.keys
    if isinstance(keys, range):
        keys = array("I", keys)
    times = [samples.pts(key) for key in keys] if samples.cts else [samples.dts[key] for key in keys]
    gaps = list(map(sub, [*times[1:], max(times[-1], samples.dts[-1])], times))
    if min(gaps[:-1], default=1) <= 0:
        raise Mp4Error("the file's key frames are shown in another order than they are decoded in")
    if max(gaps) > MAX_GOP_S * track.config.timescale:
        seconds = max(gaps) / track.config.timescale
        raise _refuse(headers, f"its key frames are up to {seconds:.1f} s apart, more than {MAX_GOP_S} s")
