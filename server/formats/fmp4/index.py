"""The index of a progressive MP4 or MOV file: enough to cut any segment out of it without reading the rest.

`movie.movie_index` makes it of a moov (about 50 ms of CPU for ten minutes); `to_bytes` keeps it beside the source,
`from_bytes` has it back in a few milliseconds.
"""

import json
import sys
from array import array
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from itertools import accumulate
from operator import sub
from struct import Struct
from typing import Any
from zlib import crc32

from server.formats.fmp4.samples import SampleTable
from server.formats.sample import AudioConfig, TrackConfig, VideoConfig

# Pictures that may be shown after the last one decoded (H.264 A.3.1: max_dec_frame_buffering).
MAX_REORDER = 16


class IndexDamagedError(ValueError):
    """The saved index is cut short, altered, or of another version: parse the source again."""


@dataclass(frozen=True, slots=True)
class Track:
    """One track that can be served.

    A sample is shown at `samples.pts(i) + shift`, in ticks of `config.timescale` on the movie's clock; samples shown
    before 0, or at `end` or later, are cut away by the edit list.
    """

    config: TrackConfig
    samples: SampleTable
    shift: int = 0
    end: int | None = None
    language: str = "und"  # ISO 639-2/T

    @property
    def keys(self) -> "array[int] | range":
        """Numbers of the samples that decoding can start at."""
        return range(len(self.samples)) if self.samples.sync is None else self.samples.sync

    def shown(self, sample: int) -> int:
        """When the sample is shown, ticks on the movie's clock."""
        return self.samples.pts(sample) + self.shift

    @property
    def last_shown(self) -> int:
        """When the last sample ends, ticks on the movie's clock."""
        samples = self.samples
        last = samples.dts[-1] + max(samples.cts[-MAX_REORDER:], default=0) + self.shift
        return last if self.end is None else min(last, self.end)


@dataclass(frozen=True, slots=True)
class MovieIndex:
    """The tracks of a file of `file_size` bytes: at most one of each kind, at least one."""

    file_size: int
    video: Track | None
    audio: Track | None

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(track for track in (self.video, self.audio) if track is not None)

    @property
    def duration_s(self) -> float:
        return max(track.last_shown / track.config.timescale for track in self.tracks)

    def to_bytes(self) -> bytes:
        """The saved form, see below."""
        return _serialise(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> "MovieIndex":
        """Raises IndexDamagedError unless `data` is an index of this version, whole."""
        return _deserialise(data)


# The saved form:
#
#   magic, version, length of the header, crc32 (begun with that length) of all that follows
#   header: JSON {"file_size", "tracks": [{kind, config, shift, end, language, lengths of the arrays}]}
#   arrays: little-endian, in the order of ARRAYS, track by track

MAGIC = b"SLMI"
VERSION = 1
ARRAYS = {"sizes": "I", "durations": "I", "cts": "i", "sync": "I", "chunk_first": "I", "chunk_offset": "Q"}
_PREFIX = Struct("<4sHxxII")
_CONFIGS: dict[str, type[VideoConfig] | type[AudioConfig]] = {"video": VideoConfig, "audio": AudioConfig}

Arrays = dict[str, "array[int] | None"]


def _serialise(index: MovieIndex) -> bytes:
    tracks: list[dict[str, Any]] = []
    pieces: list[bytes] = []
    for track in index.tracks:
        arrays = _arrays(track.samples)
        tracks.append(_described(track, arrays))
        pieces += [_little_endian(values).tobytes() for values in arrays.values() if values is not None]
    header = json.dumps({"file_size": index.file_size, "tracks": tracks}).encode()
    body = b"".join([header, *pieces])
    return _PREFIX.pack(MAGIC, VERSION, len(header), crc32(body, len(header))) + body


def _arrays(samples: SampleTable) -> Arrays:
    return {
        "sizes": samples.sizes,
        "durations": array("I", map(sub, samples.dts[1:], samples.dts)),
        "cts": samples.cts,
        "sync": samples.sync,
        "chunk_first": samples.chunk_first,
        "chunk_offset": samples.chunk_offset,
    }


def _described(track: Track, arrays: Arrays) -> dict[str, Any]:
    config = asdict(track.config) | {"sample_entry": b64encode(track.config.sample_entry).decode()}
    lengths = {name: None if values is None else len(values) for name, values in arrays.items()}
    return {
        "kind": track.config.kind,
        "config": config,
        "shift": track.shift,
        "end": track.end,
        "language": track.language,
        "lengths": lengths,
    }


def _deserialise(data: bytes) -> MovieIndex:
    if len(data) < _PREFIX.size:
        raise IndexDamagedError("the saved index is cut short")
    magic, version, header_size, checksum = _PREFIX.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise IndexDamagedError(f"the saved index is not of version {VERSION}")
    body = memoryview(data)[_PREFIX.size :]
    if crc32(body, header_size) != checksum:
        raise IndexDamagedError("the saved index is damaged")
    header = json.loads(bytes(body[:header_size]))
    tracks: dict[str, Track] = {}
    at = header_size
    for told in header["tracks"]:
        tracks[told["kind"]], at = _restored(told, body, at)
    return MovieIndex(header["file_size"], tracks.get("video"), tracks.get("audio"))


def _restored(told: dict[str, Any], body: memoryview, at: int) -> tuple[Track, int]:
    """A track from its description, its arrays read from `at` on; and where they end."""
    arrays: Arrays = {}
    for name, typecode in ARRAYS.items():
        values = array(typecode)
        size = (told["lengths"][name] or 0) * values.itemsize
        values.frombytes(body[at : at + size])
        arrays[name] = None if told["lengths"][name] is None else _little_endian(values)
        at += size
    durations = arrays.pop("durations")
    samples = SampleTable(dts=array("q", accumulate(durations or (), initial=0)), **arrays)  # type: ignore[arg-type]
    fields = told["config"] | {"sample_entry": b64decode(told["config"]["sample_entry"])}
    if told["kind"] == "video":
        fields["sar"] = tuple(fields["sar"])
    config = _CONFIGS[told["kind"]](**fields)
    return Track(config, samples, told["shift"], told["end"], told["language"]), at


def _little_endian(values: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return values
    swapped = values[:]
    swapped.byteswap()
    return swapped
