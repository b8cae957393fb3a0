"""The child that takes the text subtitles out of a file, as WebVTT.

    arguments  {"source": fd, "container": name, "start_s", "tracks": [{"stream", "codec", "output": fd}]}
    events     {"event": "text", "stream", "cues", "cut": whether there were more}    its output is whole
               {"event": "problem", "code", "detail"}

All tracks in one pass; what is not text is not read where the container has an index. Cues that no player would show
are left out.
"""

import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.error import FFmpegError
from av.packet import Packet
from av.stream import Discard, Stream

from server.formats import ass, subrip, timed_text, webvtt
from server.formats.webvtt import ARROW, MAX_CUE_CHARACTERS, MAX_CUES, Cue, TextTrack
from server.media import guard
from server.media.containers import BY_NAME
from server.media.continuity import Clock, is_broken
from server.media.demux import open_container
from server.media.orders import TIMESCALE

MAX_CHARACTERS = 5 << 20  # of a track: ten times what is said in a long film
UNTOLD_MS = 4000  # how long a text is shown that does not say: until the next at most
SETTINGS = "webvtt_settings"  # libav's name of them beside a packet
MAX_SHOWN_MS = 3_600_000  # of one text


@dataclass(slots=True)
class Track:
    codec: str
    output: int
    cues: list[Cue] = field(default_factory=list)
    endless: set[int] = field(default_factory=set)  # cues that did not say how long
    characters: int = 0
    cut: bool = False

    def add(self, start_ms: int, length_ms: int | None, packet: bytes, told: str = "") -> None:
        """`told` are settings that come beside the packet."""
        for text, settings in _texts(self.codec, packet):
            text = _harmless(text)
            if not text or (length_ms is not None and length_ms <= 0):
                continue
            self.characters += len(text)
            if len(self.cues) >= MAX_CUES or self.characters > MAX_CHARACTERS:
                self.cut = True
                return
            end_ms = start_ms + min(UNTOLD_MS if length_ms is None else length_ms, MAX_SHOWN_MS)
            if length_ms is None:
                self.endless.add(len(self.cues))
            if end_ms > 0:
                self.cues.append(Cue(max(0, start_ms), end_ms, text, _harmless_settings(settings or told)))

    def text(self) -> str:
        cues = [self._ended(number, cue) for number, cue in enumerate(self.cues)]
        return webvtt.write(TextTrack(webvtt.in_order(dict.fromkeys(cue for cue in cues if cue.end_ms > cue.start_ms))))

    def _ended(self, number: int, cue: Cue) -> Cue:
        """One that did not say how long it is shown goes when the next comes."""
        if number not in self.endless or number + 1 >= len(self.cues):
            return cue
        following = self.cues[number + 1].start_ms
        return Cue(cue.start_ms, min(cue.end_ms, max(following, cue.start_ms + 1)), cue.text, cue.settings, cue.name)


def _texts(codec: str, packet: bytes) -> list[tuple[str, str]]:
    """Cue text and settings of what is in a packet."""
    match codec:
        case "mov_text":
            return [(timed_text.text_sample(packet), "")]
        case "ass" | "ssa":
            return [ass.dialogue(packet)]
        case "webvtt":
            return timed_text.webvtt_sample(packet)
        case _:
            return [subrip.cue_text(packet.partition(b"\0")[0].decode("utf-8", "replace"))]


def _harmless(text: str) -> str:
    """Without what would end the cue or begin another."""
    lines = (line.strip() for line in text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return "\n".join(line for line in lines if line).replace(ARROW, "--&gt;")[:MAX_CUE_CHARACTERS]


def _harmless_settings(settings: str) -> str:
    return "" if ARROW in settings else " ".join(settings.split())[:200]


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    try:
        tracks = _read(arguments)
    except FFmpegError as error:
        say({"event": "problem", "code": "invalid", "detail": f"the file can't be read ({error.strerror})"})
        return
    for stream, track in tracks.items():
        _write(track.output, track.text().encode())
        say({"event": "text", "stream": stream, "cues": len(track.cues), "cut": track.cut})


def _read(arguments: dict[str, Any]) -> dict[int, Track]:
    """What was read before the file broke off counts."""
    container = BY_NAME[arguments["container"]]
    tracks = {each["stream"]: Track(each["codec"], each["output"]) for each in arguments["tracks"]}
    with open_container(arguments["source"], container) as opened:
        clock = Clock(arguments["start_s"], is_broken(container))
        for stream in opened.streams:
            if stream.index not in tracks:
                stream.discard = Discard.all
        try:
            for packet in opened.demux():
                track = tracks.get(packet.stream_index)
                if track is not None and packet.size:
                    _take(track, packet, clock)
        except FFmpegError:
            if not any(track.cues for track in tracks.values()):
                raise
    return tracks


def _take(track: Track, packet: "Packet[Stream]", clock: Clock) -> None:
    base: Fraction | None = packet.time_base
    if packet.pts is None or base is None:
        return
    start_ms = clock.at(packet.stream_index, packet.pts, base) * 1000 // TIMESCALE
    length_ms = round(packet.duration * base * 1000) if packet.duration else None
    beside = (bytes(each) for each in packet.iter_sidedata() if each.data_type == SETTINGS)
    track.add(start_ms, length_ms, bytes(packet), next(beside, b"").decode("utf-8", "replace"))


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


if __name__ == "__main__":
    guard.run(work)
