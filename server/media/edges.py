"""The child that cuts a segment of pictures to the picture, by coding what is left of it anew.

    arguments  {"media": fd, "init": fd, "segment": fd, "from": ticks, "until": ticks, "bitrate": bits a second}
               `media` is an init segment of H.264 and a segment, one after the other; the other two are written
    events     {"event": "cut", "start": ticks, "end": ticks}
               {"event": "problem", "code", "detail"}     there is nothing to be had
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from av.error import FFmpegError
from av.video.frame import VideoFrame

from server.formats import avc
from server.formats.fmp4.box import BoxError, find
from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import video_part
from server.formats.fmp4.read import read_samples
from server.formats.sample import Sample
from server.media import guard
from server.media.codings import SOFTWARE
from server.media.decoding import VISUAL_ENTRY_BYTES, Decoder, DecoderError
from server.media.encoders import Coded, Encoder, EncoderError, Look, Settings
from server.media.ladder import Rung

MAX_MEDIA_BYTES = 128 << 20
STSD = b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"
STSD_FIELDS = 8  # version, flags and the count of entries


class CutError(ValueError):
    """The segment can't be cut; a sentence why."""


class _Source(NamedTuple):
    sample_entry: bytes
    samples: list[Sample]
    timescale: int


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        source = _read(os.pread(arguments["media"], MAX_MEDIA_BYTES, 0))
        init, segment, start, end = _code(source, arguments["from"], arguments["until"], arguments["bitrate"])
    except (CutError, DecoderError, EncoderError, FFmpegError, BoxError, avc.AvcError) as error:
        say({"event": "problem", "code": "unsupported", "detail": str(error)})
        return
    for name, data in (("init", init), ("segment", segment)):
        with open(arguments[name], "wb", closefd=False) as out:
            out.write(data)
    say({"event": "cut", "start": start, "end": end})


def _read(media: bytes) -> _Source:
    """Raises CutError, BoxError."""
    stsd, mdhd = find(media, *STSD), find(media, b"moov", b"trak", b"mdia", b"mdhd")
    moov = find(media, b"moov")
    if stsd is None or mdhd is None or moov is None:
        raise CutError("there is no init segment")
    entry = media[stsd.start + STSD_FIELDS : stsd.end]
    if entry[4:8] != b"avc1":
        raise CutError("only H.264 is coded anew")
    samples = read_samples(media[moov.end :])
    if not samples:
        raise CutError("the segment is empty")
    return _Source(entry, samples, int.from_bytes(media[mdhd.start + 12 : mdhd.start + 16], "big"))


def _frames(source: _Source, start: int, until: int) -> Iterator[VideoFrame]:
    """The pictures shown within start..until-1, in that order, one at a time. Raises DecoderError."""
    for frame in _decoded(source):
        if frame.pts is not None and start <= frame.pts < until:
            frame.time_base = Fraction(1, source.timescale)
            yield frame


def _decoded(source: _Source) -> Iterator[VideoFrame]:
    decoder = Decoder(source.sample_entry, source.timescale)
    for sample in source.samples:
        yield from decoder.decode(sample.pts, sample.dts, sample.data)
    yield from decoder.finish()


def _code(source: _Source, start: int, until: int, bitrate: int) -> tuple[bytes, bytes, int, int]:
    """Init segment, segment, its start and its end. Raises CutError, DecoderError, EncoderError, FFmpegError."""
    step = max(1, (source.samples[-1].dts - source.samples[0].dts) // max(1, len(source.samples) - 1))
    encoder: Encoder | None = None
    coded: list[Coded] = []
    for frame in _frames(source, start, until):
        opens = encoder is None
        if encoder is None:
            rung = Rung("edge", frame.width, frame.height, _sar(source), bitrate, 1, source.timescale / step)
            encoder = Encoder(SOFTWARE, rung, bitrate, Settings(source.timescale, lookahead=20), Look.of(frame))
        coded += encoder.encode(frame, key=opens)
    if encoder is None:
        raise CutError("no picture is shown in this time")
    coded += encoder.finish()
    times = [unit.pts for unit in coded]
    end = min(until, times[-1] + step)
    durations = [after - before for before, after in zip(times, [*times[1:], end], strict=True)]
    segment = video_part(
        1, times[0], durations, [0] * len(coded), [unit.key for unit in coded], [unit.data for unit in coded]
    )
    return init_segment(avc.video_config(encoder.record, source.timescale)), segment, times[0], end


def _sar(source: _Source) -> tuple[int, int]:
    pasp = find(source.sample_entry, b"pasp", start=VISUAL_ENTRY_BYTES)
    if pasp is None:
        return 1, 1
    values = source.sample_entry[pasp.start : pasp.end]
    return int.from_bytes(values[:4], "big"), int.from_bytes(values[4:8], "big")


if __name__ == "__main__":
    guard.run(work)
