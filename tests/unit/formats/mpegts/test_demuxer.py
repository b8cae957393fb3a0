import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.formats.mpegts import PACKET, pes, psi
from server.formats.mpegts.demuxer import Demuxer, Event, Unit
from server.formats.mpegts.psi import ElementaryStream, ProgramMap
from tests.unit.formats.mpegts.packets import AUDIO, VIDEO, Muxer

PICTURE = bytes(range(256)) * 40


def units(events: list[Event]) -> list[Unit]:
    return [event for event in events if isinstance(event, Unit)]


def packets(data: bytes) -> list[bytes]:
    return [data[at : at + PACKET] for at in range(0, len(data), PACKET)]


def stream(pictures: int = 5) -> bytes:
    muxer = Muxer()
    data = muxer.tables(VIDEO, AUDIO)
    for number in range(pictures):
        data += muxer.unit(VIDEO.pid, PICTURE + bytes((number,)), number * 3000)
        data += muxer.unit(AUDIO.pid, b"sound" * number + b"!", number * 3000, pes.AUDIO_ID)
    return data


@pytest.mark.parametrize("size", [1, 187, 188, 189, 1316, 100_000])
def test_units_come_out_whatever_pieces_the_bytes_come_in(size: int) -> None:
    data, demuxer = stream(), Demuxer()

    events = [event for at in range(0, len(data), size) for event in demuxer.feed(data[at : at + size])]
    found = units(events + demuxer.finish())

    assert [unit.data for unit in found if unit.pid == VIDEO.pid] == [PICTURE + bytes((n,)) for n in range(5)]
    assert [unit.data for unit in found if unit.pid == AUDIO.pid] == [b"sound" * n + b"!" for n in range(5)]
    assert [unit.pts for unit in found if unit.pid == VIDEO.pid] == [n * 3000 for n in range(5)]
    assert not any(unit.damaged for unit in found)
    assert (demuxer.counters.gaps, demuxer.counters.damaged, demuxer.counters.skipped) == (0, 0, 0)


def test_sound_that_says_its_length_does_not_wait_for_what_follows() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    demuxer.feed(muxer.tables(VIDEO, AUDIO))

    assert units(demuxer.feed(muxer.unit(AUDIO.pid, b"x" * 500, 9, pes.AUDIO_ID))) == [
        Unit(AUDIO.pid, 9, 9, b"x" * 500, False)
    ]


def test_a_missing_packet_damages_its_unit_alone() -> None:
    pieces = packets(stream())
    del pieces[10]  # within the first picture

    demuxer = Demuxer()
    found = units(demuxer.feed(b"".join(pieces)) + demuxer.finish())

    assert [unit.damaged for unit in found if unit.pid == VIDEO.pid] == [True, False, False, False, False]
    assert demuxer.counters.gaps == 1


def test_a_packet_that_comes_twice_counts_once() -> None:
    pieces = packets(stream(2))
    pieces.insert(10, pieces[10])

    demuxer = Demuxer()
    found = units(demuxer.feed(b"".join(pieces)) + demuxer.finish())

    assert [unit.data for unit in found if unit.pid == VIDEO.pid] == [PICTURE + b"\0", PICTURE + b"\x01"]
    assert not any(unit.damaged for unit in found)


def test_a_discontinuity_that_is_announced_is_none() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    data = muxer.tables(VIDEO) + muxer.unit(VIDEO.pid, PICTURE)
    muxer.counters[VIDEO.pid] = 3
    data += muxer.packet(VIDEO.pid, pes.write(pes.VIDEO_ID, 7, 7, 4) + b"data", True, discontinuity=True)

    demuxer.feed(data)

    assert demuxer.counters.gaps == 0


def test_rubbish_between_packets_is_skipped() -> None:
    pieces, demuxer = packets(stream()), Demuxer()
    rubbish = bytes(random.Random(1).choices(range(256), k=1000)) + b"\x47"

    found = units(demuxer.feed(b"".join(pieces[:40]) + rubbish + b"".join(pieces[40:])) + demuxer.finish())

    assert demuxer.counters.skipped == len(rubbish)
    assert len(found) == 10
    assert not any(unit.damaged for unit in found)


def test_a_picture_in_two_pes_packets_is_one() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    more = b"\0\0\x01\xe0\0\0\x80\0\0" + b"more"
    data = muxer.tables(VIDEO) + muxer.unit(VIDEO.pid, b"picture, ") + muxer.packet(VIDEO.pid, more, True)

    (unit,) = units(demuxer.feed(data) + demuxer.finish())

    assert unit.data == b"picture, more"


def test_streams_that_come_and_go_with_the_map() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    moved, late = ElementaryStream(0x200, "h264"), ElementaryStream(0x300, "ac3")
    data = muxer.tables(VIDEO) + muxer.unit(VIDEO.pid, b"before")
    data += muxer.tables(moved, late, version=1)
    data += muxer.unit(moved.pid, b"after") + muxer.unit(VIDEO.pid, b"nobody's") + muxer.unit(late.pid, b"late")

    events = demuxer.feed(data) + demuxer.finish()

    assert [event.streams for event in events if isinstance(event, ProgramMap)] == [(VIDEO,), (moved, late)]
    assert [(unit.pid, unit.data) for unit in units(events)] == [
        (VIDEO.pid, b"before"),
        (moved.pid, b"after"),
        (late.pid, b"late"),
    ]


def test_the_first_program_with_media_is_taken() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    data = muxer.table(0, psi.write_pat([(1, 0x1000), (2, 0x1001), (3, 0x1002)]))
    data += muxer.table(0x1000, psi.write_pmt(ProgramMap(1, psi.NULL_PID, ())))
    data += muxer.table(0x1001, psi.write_pmt(ProgramMap(2, 0x100, (VIDEO,))))
    data += muxer.table(0x1002, psi.write_pmt(ProgramMap(3, 0x101, (AUDIO,))))

    assert [event.program for event in demuxer.feed(data) if isinstance(event, ProgramMap)] == [2]


def test_scrambled_packets_damage() -> None:
    pieces, demuxer = packets(stream(1)), Demuxer()
    pieces[5] = pieces[5][:3] + bytes((pieces[5][3] | 0x80,)) + pieces[5][4:]

    found = units(demuxer.feed(b"".join(pieces)) + demuxer.finish())

    assert [unit.damaged for unit in found if unit.pid == VIDEO.pid] == [True]
    assert demuxer.counters.damaged == 1


def test_a_unit_without_an_end_is_given_up() -> None:
    muxer, demuxer = Muxer(), Demuxer()
    demuxer.feed(muxer.tables(VIDEO) + muxer.unit(VIDEO.pid, b"begin"))
    endless = b"".join(muxer.packet(VIDEO.pid, b"\xaa" * 184) for _ in range(160))
    tracemalloc.start()
    for _ in range(900):  # 25 MB
        demuxer.feed(endless)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert demuxer.counters.oversized == 1
    assert peak < 12 << 20


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_damage_anywhere_does_no_harm(data: st.DataObject) -> None:
    damaged = bytearray(stream(3))
    for at in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=60)):
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    demuxer = Demuxer()

    events = demuxer.feed(bytes(damaged[:cut])) + demuxer.feed(bytes(damaged[cut + 1 :])) + demuxer.finish()

    assert len(events) <= 20


@given(st.binary(max_size=5000))
def test_rubbish_alone_gives_nothing(data: bytes) -> None:
    assert Demuxer().feed(data) == []
