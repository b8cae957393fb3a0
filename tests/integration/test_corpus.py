"""Files that real devices and tools wrote, and broken ones: each becomes what the table says, or an error in words.

`indexed` is served by its own index; `copied` is packaged as it is; `coded` has to be encoded, at least its picture, or
its sound where it has no picture. What is copied or served is decoded whole, and as much as the source holds comes out.
"""

import io
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import av
import pytest
from av.error import FFmpegError

from server.formats import webvtt
from server.formats.fmp4.index import MovieIndex
from server.media.calls import Examination, examine, poster
from server.media.child import Children
from server.media.embedded import subtitles
from server.media.facts import SourceFacts
from server.media.orders import Described, Segment
from server.media.packaging import copies_of, package
from server.media.problems import TITLES
from server.packager.vod import IndexedVideo
from tests.harness.media import ffmpeg

FOLDER = Path(__file__).parents[2].parent / "shared" / "media"
FILES = sorted(FOLDER.glob("*__*")) if FOLDER.is_dir() else []

pytestmark = pytest.mark.server

CORPUS = {
    "3gp__bbb_176x144_128kbps_15fps_h263.3gp": "coded",
    "avi__sample.avi": "coded",
    "dash__multi-segment-with-emsg1__video.mp4": "coded",  # 4:4:4
    "dash__ttml-in-mp4__sample.video.mp4": "copied",
    "dash__webvtt-in-mp4-multiple-segments__video_init.mp4": "no-tracks",  # an init segment alone
    "dash__webvtt-in-mp4__sample.text.mp4": "no-tracks",
    "flac__bear_no_seek_table.flac": "copied",
    "flac__bear_one_metadata_block.flac": "copied",
    "flac__bear_placeholder_seek_point_only.flac": "copied",
    "flac__bear_uncommon_sample_rate.flac": "copied",
    "flv__sample-with-key-frame-index.flv": "copied",
    "hls__multi-segment__init.mp4": "no-tracks",
    "hls__standalone-webvtt__sample.mp4": "copied",
    "mka__bear-flac-24bit.mka": "copied",
    "mkv__full_blocks.mkv": "no-tracks",
    "mkv__sample_with_htc_rotation_track_name.mkv": "copied",
    "mkv__sample_with_multiple_key_frames.mkv": "copied",
    "mkv__sample_with_null_terminated_ssa_subtitles.mkv": "copied",
    "mkv__sample_with_opus_audio.mkv": "copied",
    "mkv__sample_with_overlapping_ssa_subtitles.mkv": "copied",
    "mkv__sample_with_pgs_subtitles.mkv": "copied",
    "mkv__sample_with_vobsub.mkv": "copied",
    "mkv__subsample_encrypted_altref.webm": "encrypted",
    "mp3__100kB-garbage-prefix.mp3": "not-media",
    "mp3__1024_incrementing_bytes.mp3": "not-media",
    "mp3__bear-cbr-constant-frame-size-no-seek-table.mp3": "coded",
    "mp3__bear-cbr-variable-frame-size-no-seek-table.mp3": "coded",
    "mp3__bear-id3.mp3": "coded",
    "mp3__bear-vbr-vbri-header-truncated-toc.mp3": "coded",
    "mp3__play-trimmed.mp3": "invalid",  # a single frame that is cut off
    "mp3__test-cbr-info-header-trailing-garbage.mp3": "coded",
    "mp3__test-cbr-info-header.mp3": "coded",
    "mp4__5p1_iamf_opus.mp4": "codec",
    "mp4__bbb_1ch_8kHz_aac_lc.aac": "coded",  # its headers say another profile
    "mp4__bbb_1ch_8kHz_aac_lc.m4a": "indexed",
    "mp4__bbb_642x642_768kbps_30fps_vp9.webm": "copied",
    "mp4__bbb_800x640_768kbps_30fps_avc_non_reference_3b.mp4": "indexed",
    "mp4__bt601.mp4": "indexed",
    "mp4__edit_list_positive_shift.mp4": "indexed",
    "mp4__fragmented_captions.mp4": "copied",
    "mp4__long_1080p_videoonly_lowbitrate.mp4": "indexed",
    "mp4__preroll-5s.mp4": "indexed",
    "mp4__sample_15fps_720p_1s.mp4": "indexed",
    "mp4__sample_18byte_nclx_colr.mp4": "indexed",
    "mp4__sample_alac_20bit.mp4": "coded",
    "mp4__sample_android_slow_motion.mp4": "indexed",
    "mp4__sample_dthd.mp4": "coded",
    "mp4__sample_dts_express.mp4": "coded",
    "mp4__sample_dts_hd_ma.mp4": "coded",
    "mp4__sample_eac3.mp4": "copied",
    "mp4__sample_empty_track.mp4": "indexed",
    "mp4__sample_fixed_rechunk_no_elst.mp4": "coded",
    "mp4__sample_fpcm_32le.mp4": "copied",
    "mp4__sample_fpcm_64be.mp4": "coded",
    "mp4__sample_fragmented.mp4": "copied",
    "mp4__sample_fragmented_iamf.mp4": "codec",
    "mp4__sample_fragmented_large_bitrates.mp4": "copied",
    "mp4__sample_fragmented_seekable_multiple_sidx.mp4": "copied",
    "mp4__sample_fragmented_sei.mp4": "copied",
    "mp4__sample_fragmented_variable_length_sgpd.mp4": "encrypted",
    "mp4__sample_ipcm_16be.mp4": "copied",
    "mp4__sample_ipcm_24le.mp4": "copied",
    "mp4__sample_mdat_too_long.mp4": "indexed",
    "mp4__sample_mhm1_bl_configchange.mp4": "codec",
    "mp4__sample_mhm1_lcbl_cicp1.mp4": "codec",
    "mp4__sample_mhm1_lcbl_configchange.mp4": "codec",
    "mp4__sample_mhm1_prefaudiolang.mp4": "codec",
    "mp4__sample_missing_stsd.mp4": "copied",  # without its sound
    "mp4__sample_no_bframes.mp4": "indexed",
    "mp4__sample_opus.mp4": "copied",
    "mp4__sample_partially_fragmented.mp4": "copied",
    "mp4__sample_sef_slow_motion.mp4": "indexed",
    "mp4__sample_sef_super_slow_motion.mp4": "indexed",
    "mp4__sample_shorter_audio.mp4": "indexed",
    "mp4__sample_simple.mp4": "indexed",
    "mp4__sample_srgb.mp4": "indexed",
    "mp4__sample_unrecognized_hevc_sei.mp4": "copied",
    "mp4__sample_unsupported_brands.mp4": "indexed",
    "mp4__sample_with_chapters.mp4": "indexed",
    "mp4__sample_with_colr_mdcv_and_clli.mp4": "copied",
    "mp4__sample_with_invalid_nalu.mp4": "indexed",
    "mp4__sample_with_it35_track.mp4": "copied",
    "mp4__sample_with_metadata.mp4": "indexed",
    "mp4__sample_with_numeric_genre.mp4": "indexed",
    "mp4__silent-black-10s.mp4": "indexed",
    "mp4__testvid_1022ms.mp4": "indexed",
    "ogg__bbb_1ch_16kHz_q10_vorbis.ogg": "coded",
    "ts__sample.adts": "copied",
    "ts__sample_ait.ts": "copied",
    "ts__sample_dts_express.ts": "coded",
    "ts__sample_dts_hd_ma.ts": "coded",
    "ts__sample_h262_mpeg_audio.ps": "coded",
    "ts__sample_h264_dts_audio.ts": "copied",
    "ts__sample_h264_mpeg_audio.ts": "copied",
    "ts__sample_h265.ts": "copied",
    "ts__sample_mpegh_bl_cicp1_cont.ts": "codec",
    "ts__sample_mpegh_bl_configchange_single.ts": "codec",
    "ts__sample_mpegh_lcbl_cicp1_multi.ts": "codec",
    "ts__sample_mpegh_lcbl_configchange_single.ts": "codec",
    "ts__sample_scte35.ts": "coded",
    "wav__bbb_2ch_44kHz.wav": "coded",
    "wav__sample.wav": "coded",
    "wav__sample_rf64.wav": "coded",
    "wav__sine_24le.wav": "coded",
    "wav__sine_32le.wav": "coded",
}
# Whose frames can't be counted against libav's own reading of the source.
UNCOUNTED = {
    "mp4__sample_opus.mp4",  # a part of a packet is cut away at both ends
    "mkv__sample_with_opus_audio.mkv",
    "mp4__sample_partially_fragmented.mp4",  # its first frame of sound stands for six: the hole is filled
    "ts__sample_h264_dts_audio.ts",  # begins in the middle of a picture
    "ts__sample_h264_mpeg_audio.ts",
}


@pytest.fixture
async def children() -> AsyncIterator[Children]:
    async with Children(1) as running:
        yield running


@pytest.mark.skipif(not FILES, reason=f"the corpus of media files is not at {FOLDER}")
def test_the_table_names_every_file() -> None:
    assert set(CORPUS) == {path.name for path in FILES}


@pytest.mark.skipif(not FILES, reason=f"the corpus of media files is not at {FOLDER}")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
async def test_what_each_file_becomes(children: Children, path: Path, tmp_path: Path) -> None:
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), timeout_s=30)
        assert becomes(found) == CORPUS[path.name]
        if found.indexed:
            movie = MovieIndex.from_bytes((tmp_path / "index").read_bytes())
            served(path, IndexedVideo(movie))
            if movie.video is not None:
                picture = await poster(children, source.fileno(), index.fileno())
                assert isinstance(picture, bytes)
                assert picture.startswith(b"\xff\xd8")
        elif found.facts is not None:
            for kind, data in (await copied(children, path, found.facts)).items():
                check_copy(path, found.facts, kind, data)


def becomes(found: Examination) -> str:
    """The word of the table; an error is one that an owner understands."""
    if found.problem is not None:
        assert found.problem.code in TITLES
        assert 10 < len(found.problem.detail) < 300
        assert "Traceback" not in found.problem.detail
        assert found.facts is None
        return found.problem.code
    assert found.facts is not None
    assert found.facts.duration_s > 0
    if found.indexed:
        return "indexed"
    return "copied" if found.facts.passable else "coded"


async def copied(children: Children, path: Path, facts: SourceFacts) -> dict[str, bytes]:
    """What is passed through, by rendition."""
    copies = copies_of(facts)
    outputs = {copy.name: os.memfd_create(copy.name) for copy in copies}
    described: dict[str, Described] = {}
    segments: list[Segment] = []
    try:
        with path.open("rb") as source:
            problem = await package(
                children, source.fileno(), path.stat().st_size, facts, copies, outputs,
                lambda each: described.update({each.rendition: each}), segments.append,
            )  # fmt: skip
        assert problem is None
        found = {name: described[name].init + os.pread(fd, 1 << 30, 0) for name, fd in outputs.items()}
    finally:
        for fd in outputs.values():
            os.close(fd)
    counted = Counter(each.rendition for each in segments)
    assert set(counted) == set(outputs)
    return found


def check_copy(path: Path, facts: SourceFacts, name: str, data: bytes) -> None:
    kind = "video" if name == "video" else "audio"
    assert data
    count = decoded(data, "mov", kind)
    assert count > 0
    if path.name not in UNCOUNTED and name in ("video", "audio"):
        expected = decoded(path.read_bytes(), None, kind)
        assert count == expected if kind == "video" else abs(count - expected) <= 3


def served(path: Path, presentation: IndexedVideo) -> None:
    """Every picture of the source comes out of the segments, and every frame of sound out of the decoder."""
    data = path.read_bytes()
    only_keys = presentation.duration_s > 60  # a minute of CPU otherwise
    for rendition in presentation.renditions:
        count = presentation.media(rendition).count("#EXTINF")
        segments = [presentation.init(rendition)]
        for number in range(count):
            plan = presentation.segment(rendition, number)
            segments.append(plan.build([data[offset : offset + size] for offset, size in plan.reads]))
        count = decoded(b"".join(segments), "mov", rendition, only_keys)
        if rendition == "video":
            assert count == decoded(data, "mov", rendition, only_keys)
        else:
            # The decoder keeps the first frame back; the run-up before the start is not served.
            assert count == pytest.approx(decoded(data, "mov", rendition, only_keys), abs=3)


def decoded(data: bytes, container: str | None, kind: str, only_keys: bool = False) -> int:
    """How many pictures or frames of sound come out of the first stream of its kind that has any."""
    options = {"ignore_editlist": "1"} if container == "mov" else {}
    with av.open(io.BytesIO(data), format=container, options=options) as opened:
        streams = [stream for stream in opened.streams if stream.type == kind]
        stream = next((stream for stream in streams if stream.frames), streams[0])
        if only_keys:
            stream.codec_context.skip_frame = "NONKEY"
        return sum(1 for packet in opened.demux(stream) for _ in frames(packet))


def frames(packet: av.Packet) -> Iterator[object]:
    """Of one packet; one that is broken in the source is broken in the segment too."""
    try:
        yield from packet.decode()
    except FFmpegError:
        return


# --- what the corpus lacks: made here, small

BARS = ("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2")
TONE = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=2")
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25")
SILENT = ("-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo")
HDR10 = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
X265_10 = ("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", "-x265-params",
           "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc")  # fmt: skip

# name -> (extension, ffmpeg's arguments, what it becomes, facts of the picture)
ODD: dict[str, tuple[str, tuple[str, ...], str, dict[str, object]]] = {
    "anamorphic": ("mkv", (*BARS, *X264, "-aspect", "2:1"), "copied", {"sar": (9, 8)}),
    "odd size": ("mkv", (*BARS, "-vf", "format=yuv444p,crop=317:179", "-c:v", "ffv1"), "coded",
                 {"width": 317, "height": 179}),
    "uneven": ("mkv", (*BARS, "-vf", "select='not(mod(n,3))+not(mod(n,5))'", "-fps_mode", "vfr", *X264), "copied",
               {"variable": True}),
    "interlaced": ("ts", (*BARS, "-vf", "interlace", *X264, "-flags", "+ildct+ilme", "-x264-params", "tff=1"), "coded",
                   {"interlaced": True, "field_order": "top"}),
    "interlaced MPEG-2": ("mpg", (*BARS, "-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ildct+ilme"), "coded",
                          {"interlaced": True}),
    "ten bits": ("mp4", (*BARS, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"), "coded",
                 {"bit_depth": 10, "hdr": None}),
    "HDR10": ("mp4", (*BARS, *X265_10, *HDR10), "copied", {"bit_depth": 10, "hdr": "pq", "primaries": "bt2020"}),
    "alpha": ("mov", (*BARS, "-vf", "format=yuva444p10le", "-c:v", "prores_ks", "-profile:v", "4444"), "coded",
              {"alpha": True, "codec": "prores"}),
    "alpha in VP9": ("webm", (*BARS, "-vf", "format=yuva420p", "-c:v", "libvpx-vp9", "-cpu-used", "8"), "copied",
                     {"alpha": True}),
    "AVI": ("avi", (*BARS, *TONE, "-c:v", "mpeg4", "-c:a", "mp2"), "coded", {"codec": "mpeg4"}),
    "WMV": ("wmv", (*BARS, *TONE), "coded", {"codec": "msmpeg4v3"}),
    "not fast-start": ("mp4", (*BARS, *TONE, *X264, "-c:a", "aac"), "indexed", {"frame_rate": 25.0}),
    "silence": ("mkv", (*BARS, *SILENT, "-shortest", *X264, "-c:a", "aac"), "copied", {}),
    "long GOP": ("mkv", ("-f", "lavfi", "-i", "color=size=64x64:rate=10:duration=30", *X264, "-g", "1000"), "coded",
                 {"key_interval_s": 12.0}),
    "AIFF": ("aiff", TONE, "coded", {}),
    "ADPCM": ("wav", (*TONE, "-ar", "8000", "-c:a", "adpcm_ima_wav"), "coded", {}),
    "AC-3": ("ac3", TONE, "copied", {}),
    "E-AC-3": ("eac3", TONE, "copied", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
async def test_odd_files(children: Children, name: str, tmp_path: Path) -> None:
    extension, arguments, becoming, expected = ODD[name]
    path = tmp_path / f"film.{extension}"
    ffmpeg(*arguments, path)
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), timeout_s=30)
    assert becomes(found) == becoming
    facts = found.facts
    assert facts is not None
    assert {field: getattr(facts.picture, field) for field in expected} == expected
    if not found.indexed:
        for rendition, data in (await copied(children, path, facts)).items():
            check_copy(path, facts, rendition, data)


# Text in files of the corpus: kind of each stream of subtitles, cues of those that are text, chapters.
TEXTS: dict[str, tuple[list[str], list[int], int]] = {
    "mkv__sample_with_null_terminated_ssa_subtitles.mkv": (["text"], [1], 0),
    "mkv__sample_with_overlapping_ssa_subtitles.mkv": (["text"], [3], 0),
    "mkv__sample_with_pgs_subtitles.mkv": (["bitmap"], [], 0),
    "mkv__sample_with_vobsub.mkv": (["bitmap"], [], 0),
    "mp4__sample_with_chapters.mp4": ([], [], 3),
}


@pytest.mark.skipif(not FILES, reason=f"the corpus of media files is not at {FOLDER}")
@pytest.mark.parametrize("name", TEXTS)
async def test_the_text_in_each_file(children: Children, name: str, tmp_path: Path) -> None:
    with (FOLDER / name).open("rb") as source, (tmp_path / "index").open("w+b") as index:
        facts = (await examine(children, source.fileno(), index.fileno(), timeout_s=30)).facts
        assert facts is not None
        texts = [each for each in facts.subtitles if each.kind == "text"]
        read = await subtitles(children, source.fileno(), facts.container, facts.start_s, texts) if texts else []
    cues = [len(webvtt.read(text.decode()).cues) for text in read]
    assert ([each.kind for each in facts.subtitles], cues, len(facts.chapters)) == TEXTS[name]
    shown = [stream["form"] for stream in facts.media()["streams"] if stream["kind"] == "subtitle"]
    assert shown == TEXTS[name][0]


STYLED = """WEBVTT

one
00:00:00.500 --> 00:00:01.500 line:0
Some <i>words</i> &amp; more

00:00:01.600 --> 00:00:02.000
Two
lines
"""
# ending -> codec of subtitles, whether the place of the first is kept
CARRIED = {
    "mkv": ("subrip", False), "ass.mkv": ("ass", False), "mp4": ("mov_text", False), "mov": ("mov_text", False),
    "webm": ("copy", True), "vtt.mkv": ("copy", True),
}  # fmt: skip


@pytest.mark.parametrize("ending", CARRIED)
async def test_text_is_taken_out_of_any_container(children: Children, ending: str, tmp_path: Path) -> None:
    codec, placed = CARRIED[ending]
    words, path = tmp_path / "words.vtt", tmp_path / f"film.{ending}"
    words.write_text(STYLED)
    pictures = ("-c:v", "libvpx", "-deadline", "realtime") if ending == "webm" else X264
    ffmpeg(
        *BARS, "-i", words, "-map", "0", "-map", "1", *pictures, "-c:s", codec, "-metadata:s:s:0", "language=ger", path
    )
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        facts = (await examine(children, source.fileno(), index.fileno(), timeout_s=30)).facts
        assert facts is not None
        assert [(each.kind, each.language) for each in facts.subtitles] == [("text", "de")]
        (read,) = await subtitles(children, source.fileno(), facts.container, facts.start_s, facts.subtitles)
    first, second = webvtt.read(read.decode()).cues
    assert (first.start_ms, first.end_ms, second.text) == (500, 1500, "Two\nlines")
    assert first.text == "Some <i>words</i> &amp; more"
    assert bool(first.settings) == placed


async def test_languages_chapters_and_subtitles(children: Children, tmp_path: Path) -> None:
    words, chapters, path = tmp_path / "a.srt", tmp_path / "chapters", tmp_path / "film.mkv"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nWords\n")
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=First\n")
    ffmpeg(
        *BARS, *TONE, "-i", words, "-i", chapters, "-map", "0", "-map", "1", "-map", "1", "-map", "2", "-map_metadata",
        "3", *X264, "-c:a", "aac", "-c:s", "srt", "-metadata:s:a:0", "language=fre", "-metadata:s:a:1", "language=eng",
        "-metadata:s:s:0", "language=ger", "-disposition:a:1", "default", "-disposition:a:0", "0", path,
    )  # fmt: skip
    with path.open("rb") as source, (tmp_path / "index").open("w+b") as index:
        found = await examine(children, source.fileno(), index.fileno(), timeout_s=30)
    facts = found.facts
    assert facts is not None
    assert [(each.language, each.default) for each in facts.sounds] == [("en", True), ("fr", False)]
    assert [(each.language, each.kind, each.codec) for each in facts.subtitles] == [("de", "text", "subrip")]
    assert [(each.start_s, each.end_s, each.title) for each in facts.chapters] == [(0.0, 1.0, "First")]
    assert set(await copied(children, path, facts)) == {"video", "audio", "audio2"}
