"""Makes transport packets by hand, for what no encoder sends."""

from server.formats.mpegts import PACKET, pes, psi
from server.formats.mpegts.psi import ElementaryStream, ProgramMap

VIDEO = ElementaryStream(0x100, "h264")
AUDIO = ElementaryStream(0x101, "aac", "deu")
MAP = 0x1000


class Muxer:
    """Packets with right continuity counters."""

    def __init__(self) -> None:
        self.counters: dict[int, int] = {}

    def packet(self, pid: int, payload: bytes, start: bool = False, discontinuity: bool = False) -> bytes:
        """One packet, stuffed in front where the payload is short."""
        room = PACKET - 4 - len(payload)
        field = b""
        if room or discontinuity:
            flags = bytes((0x80 if discontinuity else 0,))
            field = bytes((room - 1,)) + (flags.ljust(room - 1, b"\xff") if room > 1 else b"")
        control = (0x30 if field else 0x10) | self.counters.get(pid, 0)
        self.counters[pid] = self.counters.get(pid, 0) + 1 & 15
        return bytes((0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, control)) + field + payload

    def table(self, pid: int, section: bytes) -> bytes:
        return self.packet(pid, (b"\0" + section).ljust(184, b"\xff"), True)

    def tables(self, *streams: ElementaryStream, version: int = 0) -> bytes:
        found = ProgramMap(1, streams[0].pid if streams else psi.NULL_PID, streams)
        return self.table(0, psi.write_pat([(1, MAP)])) + self.table(MAP, psi.write_pmt(found, version))

    def unit(self, pid: int, data: bytes, pts: int = 0, stream_id: int = pes.VIDEO_ID) -> bytes:
        data = pes.write(stream_id, pts, pts, len(data)) + data
        pieces = [data[at : at + 184] for at in range(0, len(data), 184)]
        return b"".join(self.packet(pid, piece, number == 0) for number, piece in enumerate(pieces))
