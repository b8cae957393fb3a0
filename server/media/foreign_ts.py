"""As `foreign`, of MPEG transport streams. No libav here."""

import contextlib

from server.formats.fmp4.foreign import Read
from server.formats.mpegts import PACKET, SYNC, psi
from server.formats.mpegts.demuxer import MAX_PROGRAMS
from server.formats.mpegts.psi import PsiError, Sections
from server.media.foreign import Foreign

# The program map comes ten times a second; this much is ten seconds of the smallest streams.
MAP_BYTES = 1 << 20
TS_NAMES = {"mpegh_3d_audio": "MPEG-H"}


def in_mpeg_ts(read: Read) -> Foreign:
    """As the program maps at the beginning of an MPEG-TS tell."""
    tables = {psi.PAT_PID: Sections()}
    found: dict[int, str] = {}
    data = read(0, MAP_BYTES)
    for at in range(0, len(data) - PACKET + 1, PACKET):
        pid = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if data[at] != SYNC or pid not in tables:
            continue
        body = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
        for section in tables[pid].feed(data[body : at + PACKET], bool(data[at + 1] & 0x40)):
            with contextlib.suppress(PsiError):
                if pid == psi.PAT_PID:
                    pids = list(psi.program_pids(section).values())[:MAX_PROGRAMS]
                    tables |= {each: Sections() for each in pids if each not in tables}
                else:
                    streams = psi.program_map(section).streams
                    found |= {each.pid: TS_NAMES[each.codec] for each in streams if each.codec in TS_NAMES}
    return Foreign(found)
