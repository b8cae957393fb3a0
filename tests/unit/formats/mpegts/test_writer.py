from pathlib import Path

import pytest

from server.formats import aac, avc, hevc, opus
from server.formats.mpegts import PACKET
from server.formats.mpegts.demuxer import Demuxer, Unit
from server.formats.mpegts.psi import ProgramMap
from server.formats.mpegts.writer import DELAY_TICKS, GROUP, TsError, TsWriter, groups
from server.formats.sample import Sample, VideoConfig
from server.media.mpegts import Configured, Picture, Sound, TsInput
from tests.harness import media
from tests.unit.formats import encoded

AAC = aac.audio_config(bytes.fromhex("1190"))


def test_pictures_and_sound_come_back_as_they_went() -> None:
    source = encoded.h264(30)
    config = avc.video_config(source.header)
    frames = [Sample(number * 1024, 0, True, bytes((number,)) * (number * 9 + 5)) for number in range(40)]
    writer = TsWriter()
    writer.configure("video", config)
    writer.configure("audio", AAC)
    data = b"".join(writer.write("video", sample) for sample in source.samples)
    data += b"".join(writer.write("audio", sample) for sample in frames)

    reader = TsInput()
    items = reader.feed(data) + reader.finish()

    assert len(data) % PACKET == 0
    configs = {item.track: item.config for item in items if isinstance(item, Configured)}
    assert configs == {"video": config, "audio": AAC}
    pictures = [item for item in items if isinstance(item, Picture)]
    assert [(item.key, item.data) for item in pictures] == [(sample.key, sample.data) for sample in source.samples]
    assert [item.cts for item in pictures] == [sample.cts for sample in source.samples]
    assert [item.data for item in items if isinstance(item, Sound)] == [sample.data for sample in frames]
    assert (reader.demuxer.counters.gaps, reader.demuxer.counters.damaged) == (0, 0)


def test_ffmpeg_decodes_what_is_written(tmp_path: Path) -> None:
    source = media.clip(3, b_frames=2, extension="ts")
    reader, writer, out = TsInput(), TsWriter(), b""
    for item in reader.feed(source.read_bytes()) + reader.finish():
        if isinstance(item, Configured):
            writer.configure(item.track, item.config)
        elif isinstance(item, Picture):
            out += writer.write(item.track, Sample(item.timestamp, item.cts, item.key, item.data))
        elif isinstance(item, Sound):
            out += writer.write(item.track, Sample(item.timestamp * 48 // 90, 0, True, item.data))
    written = tmp_path / "written.ts"
    written.write_bytes(out)

    assert media.frame_hashes(written) == media.frame_hashes(source)


def test_tables_come_before_each_key_frame_and_a_changed_map_has_a_new_version() -> None:
    source = encoded.h264(30, x264="keyint=10")
    writer = TsWriter()
    writer.configure("video", avc.video_config(source.header))
    first = writer.write("video", source.samples[0])
    writer.configure("audio", AAC)
    second = writer.write("video", source.samples[1])

    maps = [event for event in Demuxer().feed(first + second) if isinstance(event, ProgramMap)]

    assert [len(found.streams) for found in maps] == [1, 2]
    assert writer.write("video", source.samples[10]).startswith(b"\x47\x40\0")
    assert writer.write("video", source.samples[11]).startswith(b"\x47\x41\0")


def test_the_clock_goes_with_the_pictures() -> None:
    writer = TsWriter()
    source = encoded.h264(30)
    writer.configure("video", avc.video_config(source.header))

    clocks = {}
    for sample in source.samples[:20]:
        data = writer.write("video", sample)
        packet = data[data.find(b"\x47\x41\0") :]
        if packet[3] & 0x20 and packet[5] & 0x10:
            clocks[sample.dts] = int.from_bytes(packet[6:11], "big") >> 7

    assert list(clocks) == list(clocks.values())
    assert len(clocks) >= 10


def test_every_size_fills_whole_packets() -> None:
    config = opus.track(opus.OpusHead.of(2))
    for payload in range(1, 400):
        writer = TsWriter()
        writer.configure("audio", config)
        data = writer.write("audio", Sample(0, 0, True, b"\xfc" * payload))

        (unit,) = [event for event in Demuxer().feed(data) if isinstance(event, Unit)]

        assert len(data) % PACKET == 0
        assert unit.data[-payload:] == b"\xfc" * payload
        assert unit.pts == DELAY_TICKS


def test_what_has_no_place_is_said() -> None:
    with pytest.raises(TsError, match=r"vp09\.00"):
        TsWriter().configure("video", VideoConfig("vp09.00.10.08", 90_000, 16, 16, b""))
    with pytest.raises(TsError):
        TsWriter().configure("video", VideoConfig("avc1.640028", 90_000, 16, 16, b"\0" * 100))


def test_a_track_that_is_unknown_or_dropped_is_not_written() -> None:
    writer = TsWriter()
    assert writer.write("audio", Sample(0, 0, True, b"x")) == b""

    writer.configure("audio", AAC)
    writer.drop("audio")

    assert writer.write("audio", Sample(0, 0, True, b"x")) == b""


def test_a_picture_that_is_broken_is_left_out() -> None:
    writer = TsWriter()
    writer.configure("video", avc.video_config(encoded.h264(1).header))

    assert writer.write("video", Sample(0, 0, True, b"\0\0\0\x09ab")) == b""


def test_groups_fit_datagrams() -> None:
    assert [len(group) for group in groups(bytes(16 * PACKET))] == [GROUP, GROUP, 2 * PACKET]


def test_hevc_is_carried() -> None:
    source = media.clip(2, audio=False, extension="ts", extra=("-c:v", "libx265", "-x265-params", "log-level=none"))
    reader, writer = TsInput(), TsWriter()
    items = reader.feed(source.read_bytes()) + reader.finish()
    (config,) = [item.config for item in items if isinstance(item, Configured)]
    pictures = [item for item in items if isinstance(item, Picture)]
    writer.configure("video", config)
    data = b"".join(writer.write("video", Sample(i.timestamp, i.cts, i.key, i.data)) for i in pictures)

    again = TsInput()
    back = again.feed(data) + again.finish()

    assert config.codec.startswith("hvc1.")
    assert hevc.has_irap(pictures[0].data)
    assert [item.data for item in back if isinstance(item, Picture)] == [item.data for item in pictures]
