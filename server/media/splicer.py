"""The child that copies stretches of files, one after the other, into a new file; nothing is coded anew.

    arguments  {"pieces": [{"source": fd, "start_s", "end_s"}], "output": fd}      end_s null: to the end
    events     {"event": "progress", "share": 0 to 1}
               {"event": "spliced", "exact": bool, "starts": [seconds], "lead_s"}      when each piece begins, and how
                                            much is shown before the first one's start
               {"event": "problem", "code", "detail", "piece"}

What MP4 can hold becomes MP4. A piece that begins between key frames brings the pictures from the key frame before
along, and an edit list that hides them: it is exact to the picture. Anything else becomes Matroska, which can't hide:
it begins with that key frame. Only the first piece may begin later than its file.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from server.formats.fmp4.edit_lists import end_at
from server.media import guard
from server.media.edit_streams import configuration, fits_mp4, media_of, opened_file, origin_of, words_of
from server.media.problems import Unreadable

# How far before a moment is sought, one after the other, until a key frame comes that is not after it.
MARGINS_S = (0, 2, 10, 60)
CLOCK = 90_000  # of the movie: its edit list is exact to this
STEP = 0.01  # between two words of progress
HELD = 20_000  # packets that wait for a key frame or for the end: minutes of pictures


@dataclass(frozen=True, slots=True)
class Piece:
    source: int
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(slots=True)
class Track:
    """A stream of the output, and those of the pieces that go into it."""

    kind: str
    output: Stream
    last_dts: int | None = None  # in the output's ticks
    end_s: Fraction = field(default_factory=Fraction)


class Progress:
    """Pieces count alike."""

    def __init__(self, say: guard.Say, pieces: int) -> None:
        self._say = say
        self._pieces = pieces
        self._told = 0.0
        self.starts = [Fraction(0)]
        self.lead = Fraction(0)

    def at(self, share: float) -> None:
        """Of the piece in hand."""
        done = (len(self.starts) - 1 + max(0.0, min(1.0, share))) / self._pieces
        if done >= self._told + STEP:
            self._told = done
            self._say({"event": "progress", "share": round(done, 3)})


class Output:
    """A file object over a descriptor, with a position of its own."""

    def __init__(self, fd: int) -> None:
        self._fd, self._at = fd, 0

    def write(self, data: bytes) -> int:
        view, done = memoryview(data), 0
        while done < len(view):
            done += os.pwrite(self._fd, view[done:], self._at + done)
        self._at += done
        return done

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, os.fstat(self._fd).st_size)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    pieces = [Piece(**piece) for piece in arguments["pieces"]]
    number, progress = 0, Progress(say, len(pieces))
    try:
        with opened_file(pieces[0].source) as first:
            exact = fits_mp4(first)
            with av.open(
                Output(arguments["output"]), "w", format="mp4" if exact else "matroska",
                container_options={"movie_timescale": str(CLOCK)} if exact else {},
            ) as out:  # fmt: skip
                tracks = _tracks(out, first)
                at = _copied(out, tracks, first, pieces[0], Fraction(0), exact, progress)
                for piece in pieces[1:]:
                    number += 1
                    progress.starts.append(at)
                    with opened_file(piece.source) as opened:
                        _check_alike(tracks, first, opened)
                        at = _copied(out, tracks, opened, piece, at, exact, progress)
        if exact and len(pieces) == 1 and pieces[0].end_s is not None:
            _end(arguments["output"], round((pieces[0].end_s - pieces[0].start_s) * CLOCK))
    except Unreadable as error:
        say({"event": "problem", "code": error.code, "detail": error.detail, "piece": number})
        return
    except FFmpegError as error:
        detail = f"it can't be copied ({error.strerror})"
        say({"event": "problem", "code": "unsupported", "detail": detail, "piece": number})
        return
    starts = [round(float(start), 6) for start in progress.starts]
    say({"event": "spliced", "exact": exact, "starts": starts, "lead_s": round(float(progress.lead), 6)})


def _tracks(out: OutputContainer, opened: InputContainer) -> list[Track]:
    """Raises Unreadable where there is nothing to copy."""
    media = media_of(opened)
    if not media:
        raise Unreadable("no-tracks", "there is nothing to see or hear in it")
    tracks = []
    for stream in media:
        made = out.add_stream_from_template(stream)
        made.metadata.update(stream.metadata)
        tracks.append(Track(stream.type, made))
    return tracks


def _check_alike(tracks: list[Track], first: InputContainer, other: InputContainer) -> None:
    """Raises Unreadable where what decodes the first piece would not decode the other."""
    ours, theirs = media_of(first), media_of(other)
    words, others = ", ".join(map(words_of, ours)), ", ".join(map(words_of, theirs))
    if words != others:
        raise Unreadable("different", f"it has {others}; the first has {words}")
    if [configuration(stream) for stream in ours] != [configuration(stream) for stream in theirs]:
        raise Unreadable("different", f"it has {others} like the first, coded with other settings")


def _copied(
    out: OutputContainer,
    tracks: list[Track],
    opened: InputContainer,
    piece: Piece,
    at: Fraction,
    exact: bool,
    progress: Progress,
) -> Fraction:
    """Copies a piece to the moment `at` of the output; where the next may begin."""
    origin = origin_of(opened)
    start = origin + Fraction(piece.start_s).limit_denominator(CLOCK)
    end = None if piece.end_s is None else origin + Fraction(piece.end_s).limit_denominator(CLOCK)
    media = media_of(opened)
    by_index = {stream.index: track for stream, track in zip(media, tracks, strict=True)}
    found, length = 0, (end or origin + Fraction(opened.duration or 0, av.time_base)) - start
    for packet in _between(opened, media, start, end, exact):
        track, earlier = by_index[packet.stream.index], start - (packet.pts or 0) * packet.time_base
        if not exact:
            progress.lead = max(progress.lead, earlier)
        progress.at(float(-earlier / length) if length > 0 else 0.0)
        found += placed(out, track, packet, start - at)
    if not found:
        raise Unreadable("no-tracks", "nothing of it is shown at that time")
    return max(track.end_s for track in tracks)


def placed(out: OutputContainer, track: Track, packet: "Packet[Any]", earlier: Fraction) -> bool:
    """Writes a packet `earlier` by so many seconds; not one of sound that is shown already."""
    base = packet.time_base
    if packet.pts is None or packet.dts is None:
        return False
    shift = round(earlier / base)
    packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
    dts = round(packet.dts * base * CLOCK)
    if track.last_dts is not None and dts <= track.last_dts:
        if track.kind == "audio":
            return False
        packet.dts = int((track.last_dts + 1) / base / CLOCK) + 1
        dts = round(packet.dts * base * CLOCK)
        if packet.dts > packet.pts:
            raise Unreadable("different", "its pictures are ordered otherwise than the first's")
    track.last_dts = dts
    track.end_s = max(track.end_s, (packet.pts + (packet.duration or 0)) * base)
    packet.stream = track.output
    out.mux_one(packet)
    return True


def _between(
    opened: InputContainer, media: list[VideoStream | AudioStream], start: Fraction, end: Fraction | None, exact: bool
) -> "Iterator[Packet[Any]]":
    """What is shown from `start` to `end`, with the pictures from the key frame before, in the order of the file."""
    pictures = media[0] if isinstance(media[0], VideoStream) else None
    packets = _sought(opened, media, pictures, start)
    yield from _until(_from(packets, pictures, start, exact), end)


def _sought(
    opened: InputContainer, media: list[VideoStream | AudioStream], pictures: VideoStream | None, start: Fraction
) -> "Iterator[Packet[Any]]":
    lead = pictures or media[0]
    base = lead.time_base or Fraction(1, CLOCK)
    if start <= origin_of(opened):
        yield from _demuxed(opened, media)
        return
    for margin_s in MARGINS_S:
        opened.seek(max(0, int((start - margin_s) / base)), stream=lead)
        held: list[Packet[Any]] = []
        for packet in _demuxed(opened, media):
            held.append(packet)
            if packet.stream.index == lead.index and packet.is_keyframe and packet.pts is not None:
                break
        if held and (held[-1].pts or 0) * base <= start:
            yield from held
            yield from _demuxed(opened, media)
            return
    opened.seek(0)
    yield from _demuxed(opened, media)


def _demuxed(opened: InputContainer, media: list[VideoStream | AudioStream]) -> "Iterator[Packet[Any]]":
    for packet in opened.demux(media):
        if packet.pts is not None and packet.dts is not None:
            yield packet


def _from(
    packets: "Iterator[Packet[Any]]", pictures: VideoStream | None, start: Fraction, exact: bool
) -> "Iterator[Packet[Any]]":
    """From the last key frame that is not after `start`; of sound what is heard from then on."""
    held: list[Packet[Any]] = []
    begun = pictures is None
    for packet in packets:
        base = packet.time_base or Fraction(1, CLOCK)
        shown = (packet.pts or 0) * base
        if begun:
            if packet.stream.type == "video" or shown + (packet.duration or 0) * base > start:
                yield packet
            continue
        if packet.stream.type == "video" and packet.is_keyframe and shown <= start:
            key = shown
            held = [each for each in held if each.stream.type != "video" and _ends(each) > key]
        elif packet.stream.type == "video" and not any(each.stream.type == "video" for each in held):
            continue  # nothing that it could be decoded with
        held.append(packet)
        if len(held) > HELD:
            raise Unreadable("unsupported", "its key frames are too far from each other")
        if packet.stream.type == "video" and shown > start:
            begun = True
            yield from _heard(held, start, exact)
            held = []
    if any(_ends(packet) > start for packet in held):
        yield from _heard(held, start, exact)


def _heard(held: "list[Packet[Any]]", start: Fraction, exact: bool) -> "Iterator[Packet[Any]]":
    """Sound from before the beginning is kept where pictures are not hidden, which it goes with."""
    for packet in held:
        if packet.stream.type == "video" or not exact or _ends(packet) > start:
            yield packet


def _ends(packet: "Packet[Any]") -> Fraction:
    return ((packet.pts or 0) + (packet.duration or 0)) * (packet.time_base or Fraction(1, CLOCK))


def _until(packets: "Iterator[Packet[Any]]", end: Fraction | None) -> "Iterator[Packet[Any]]":
    """Of pictures shown later those that earlier ones need."""
    if end is None:
        yield from packets
        return
    held: list[Packet[Any]] = []
    over: set[int] = set()
    streams: set[int] = set()
    for packet in packets:
        base = packet.time_base or Fraction(1, CLOCK)
        index = packet.stream.index
        streams.add(index)
        if (packet.dts or 0) * base >= end:
            over.add(index)
            if over >= streams:
                return
        elif packet.stream.type == "audio":
            if (packet.pts or 0) * base < end:
                yield packet
        elif (packet.pts or 0) * base < end:
            yield from held
            held = []
            yield packet
        elif len(held) < HELD:
            held.append(packet)


def _end(fd: int, ticks: int) -> None:
    """The movie's edit lists end there."""
    size = os.fstat(fd).st_size
    place, moov = end_at(lambda at, length: os.pread(fd, length, at), size, ticks)
    os.pwrite(fd, moov, place)


if __name__ == "__main__":
    guard.run(work)
