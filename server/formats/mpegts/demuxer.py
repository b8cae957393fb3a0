"""Transport packets to units: what one PES packet carries, with its timestamps.

Works on batches: a run of plain packets of one PID (nothing but payload, as most of video is) is found by one match
and copied by one call, so that only packets with something to read cost an interpreter's loop: about 10 µs a picture
of 20 KB when fed 30 KB at a time, a third of what a loop over packets takes.

What is damaged is counted and never raises. Memory is bounded: MAX_PES for each stream, MAX_STREAMS of one program.
"""

import re
import struct
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeAlias

from server.formats.mpegts import PACKET, SYNC, pes, psi
from server.formats.mpegts.psi import ElementaryStream, ProgramMap, PsiError, Sections

MAX_PES = 8 << 20  # bytes: a key frame of 200 Mbit/s; more is no end in sight
MAX_RUN = 64  # packets taken at once
MAX_PROGRAMS = 16  # whose maps are looked at
_CONTINUITY = bytes(0x10 | number & 15 for number in range(MAX_RUN + 16))  # the fourth bytes of plain packets


class Unit(NamedTuple):
    """The payload of one PES packet: a picture, or some frames of sound."""

    pid: int
    pts: int | None  # 33 bits, 90 kHz
    dts: int | None
    data: bytes
    damaged: bool  # something of it is missing


Event: TypeAlias = ProgramMap | Unit


@dataclass(slots=True)
class Counters:
    bytes: int = 0
    skipped: int = 0  # bytes between packets
    gaps: int = 0  # packets missing by their counters
    damaged: int = 0  # packets that can't be read, and tables with a wrong CRC
    oversized: int = 0  # units longer than MAX_PES


class _Stream:
    """The unit under way on one PID."""

    __slots__ = (
        "codec", "continuity", "damaged", "dts", "match", "open", "parts", "pid", "pts", "size", "stuffed", "video",
        "wanted",
    )  # fmt: skip

    def __init__(self, described: ElementaryStream) -> None:
        self.pid = described.pid
        self.codec = described.codec
        self.video = described.kind == "video"
        self.match = _plain_run(described.pid).match
        self.continuity = -1  # unknown
        self.open = False
        self.parts: list[bytes] = []
        self.size = self.wanted = 0  # bytes of payload; wanted 0: until the next one begins
        self.pts: int | None = None
        self.dts: int | None = None
        self.damaged = False
        self.stuffed = False  # the last packet was filled up, as the last one of a unit is

    def begin(self, header: pes.Header, payload: bytes) -> None:
        self.open, self.damaged = True, False
        self.pts, self.dts = header.pts, header.dts
        self.parts = [payload]
        self.size = len(payload)
        self.wanted = max(header.size - header.body, 0)

    def end(self) -> Unit | None:
        """What has come of the unit."""
        if not self.open:
            return None
        self.open = False
        data = self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)
        self.parts = []
        if self.wanted:
            self.damaged = self.damaged or len(data) < self.wanted
            data = data[: self.wanted]
        return Unit(self.pid, self.pts, self.dts, data, self.damaged)


@cache
def _payloads(count: int) -> struct.Struct:
    return struct.Struct("4x184s" * count)


def _plain_run(pid: int) -> re.Pattern[bytes]:
    """Packets of this PID without a beginning, an adaptation field, scrambling or an error."""
    high = re.escape(bytes((pid >> 8,))) + re.escape(bytes((pid >> 8 | 0x20,)))  # with priority or without
    return re.compile(
        rb"(?s:G[" + high + rb"]" + re.escape(bytes((pid & 0xFF,))) + rb"[\x10-\x1f].{184}){1,%d}+" % MAX_RUN
    )


class Demuxer:
    """`feed` it bytes from anywhere of a stream."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.program: ProgramMap | None = None
        self._rest = b""
        self._streams: dict[int, _Stream] = {}
        self._tables: dict[int, Sections] = {psi.PAT_PID: Sections()}
        self._known: dict[int, bytes] = {}  # PID → the last section, which comes again ten times a second
        self._events: list[Event] = []

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete, in order."""
        self.counters.bytes += len(data)
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data) - PACKET
        while at <= end:
            if data[at] != SYNC:
                at = self._resync(data, at)
                continue
            pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
            stream = self._streams.get(pid)
            if stream is None:
                if pid in self._tables:
                    self._table(pid, data, at)
                at += PACKET
            elif run := stream.match(data, at):
                stop = run.end()
                self._run(stream, data, at, (stop - at) // PACKET)
                at = stop
            else:
                self._packet(stream, data, at)
                at += PACKET
        self._rest = data[at:]
        return self._taken()

    def finish(self) -> list[Event]:
        """The end of the input: the units under way, which nothing ends but this. A picture whose last packet is full
        may have been cut off."""
        for stream in self._streams.values():
            stream.damaged = stream.damaged or not stream.stuffed
            self._end(stream)
        self._rest = b""
        return self._taken()

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _resync(self, data: bytes, at: int) -> int:
        """The next position that may begin a packet: the one after must begin there too, as far as there is one."""
        found = at
        while True:
            found = data.find(SYNC, found + 1)
            if found < 0:
                found = len(data)
                break
            if found + PACKET >= len(data) or data[found + PACKET] == SYNC:
                break
        self.counters.skipped += found - at
        return found

    # --- packets of a stream

    def _run(self, stream: _Stream, data: bytes, at: int, count: int) -> None:
        last = stream.continuity
        found = data[at + 3 : at + count * PACKET : PACKET]
        if last >= 0 and found != _CONTINUITY[last + 1 : last + 1 + count]:
            for packet in range(at, at + count * PACKET, PACKET):
                self._packet(stream, data, packet)
            return
        stream.continuity = found[-1] & 15
        stream.stuffed = False
        if stream.open:
            self._append(stream, b"".join(_payloads(count).unpack_from(data, at)))

    def _packet(self, stream: _Stream, data: bytes, at: int) -> None:
        first, flags = data[at + 1], data[at + 3]
        if first & 0x80 or flags & 0xC0:  # transport error, scrambled
            self.counters.damaged += 1
            stream.damaged = True
            return
        body, jump = at + 4, False
        if flags & 0x20:
            body += 1 + data[body]
            jump = data[at + 4] > 0 and data[at + 5] & 0x80 != 0
        if not flags & 0x10:
            return
        if body >= at + PACKET:
            self.counters.damaged += 1
            stream.damaged = True
            return
        if not self._continues(stream, flags & 15, jump):
            return
        payload = data[body : at + PACKET]
        stream.stuffed = flags & 0x20 != 0
        if first & 0x40:
            self._begin(stream, payload)
        elif stream.open:
            self._append(stream, payload)

    def _continues(self, stream: _Stream, continuity: int, jump: bool) -> bool:
        """False for a packet that is sent twice (2.4.3.3)."""
        last, stream.continuity = stream.continuity, continuity
        if last < 0 or jump or continuity == (last + 1) & 15:
            return True
        if continuity == last:
            return False
        self.counters.gaps += (continuity - last - 1) & 15
        stream.damaged = True
        return True

    def _begin(self, stream: _Stream, payload: bytes) -> None:
        try:
            header = pes.read(payload)
        except pes.PesError:
            self.counters.damaged += 1
            self._end(stream)
            return
        payload = payload[header.body :]
        if stream.video and header.pts is None:  # goes on with the picture before
            if stream.open:
                self._append(stream, payload)
            return
        self._end(stream)
        stream.begin(header, payload)
        if stream.wanted and stream.size >= stream.wanted:
            self._end(stream)

    def _append(self, stream: _Stream, payload: bytes) -> None:
        stream.parts.append(payload)
        stream.size += len(payload)
        if stream.wanted and stream.size >= stream.wanted and not stream.video:
            self._end(stream)
        elif stream.size > MAX_PES:
            self.counters.oversized += 1
            stream.open, stream.parts = False, []

    def _end(self, stream: _Stream) -> None:
        unit = stream.end()
        if unit is not None:
            self._events.append(unit)

    # --- tables

    def _table(self, pid: int, data: bytes, at: int) -> None:
        first, flags = data[at + 1], data[at + 3]
        body = at + 4 + (1 + data[at + 4] if flags & 0x20 else 0)
        if first & 0x80 or not flags & 0x10 or body >= at + PACKET:
            return
        for section in self._tables[pid].feed(data[body : at + PACKET], bool(first & 0x40)):
            if section == self._known.get(pid):
                continue
            try:
                if pid == psi.PAT_PID:
                    self._take_programs(psi.program_pids(section))
                else:
                    self._take_map(pid, psi.program_map(section))
            except PsiError:
                self.counters.damaged += 1
                continue
            self._known[pid] = section

    def _take_programs(self, programs: dict[int, int]) -> None:
        kept = list(programs.values())[:MAX_PROGRAMS]
        self._tables = {pid: self._tables.get(pid) or Sections() for pid in (psi.PAT_PID, *kept)}
        self._known = {pid: section for pid, section in self._known.items() if pid in self._tables}
        if self.program is not None and self.program.program not in programs:
            self.program = None  # the next map with media is taken

    def _take_map(self, pid: int, found: ProgramMap) -> None:
        """The first program with sound or pictures is the one that is read."""
        if self.program is not None and self.program.program != found.program:
            return
        streams = tuple(stream for stream in found.streams if stream.kind and stream.pid not in self._tables)
        if self.program is None and not streams:
            return
        self.program = found
        old, self._streams = self._streams, {}
        for described in streams:
            stream = old.get(described.pid)
            same = stream is not None and stream.codec == described.codec
            self._streams[described.pid] = stream if stream and same else _Stream(described)
        for pid, stream in old.items():
            if self._streams.get(pid) is not stream:
                self._end(stream)
        self._events.append(found)
