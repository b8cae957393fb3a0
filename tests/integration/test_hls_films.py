"""HLS streams as ffmpeg makes them, brought into files that hold the same pictures and sound."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from server.client.api import Answer
from server.client.migration.hls_fetching import HlsFilms
from server.client.migration.hls_playlists import Unusable
from server.client.refusals import Refused
from server.formats.fmp4.box import find, walk
from server.formats.fmp4.init import packed_language
from tests.harness import media

URL = "https://cdn.example/"
FMP4 = ("-hls_segment_type", "fmp4")
APART = ("-map", "0:v", "-map", "0:a", "-map", "0:a", "-var_stream_map",
         "v:0,agroup:a a:0,agroup:a,language:en,default:yes a:1,agroup:a,language:fr")  # fmt: skip
FORMS: Mapping[str, tuple[str, ...]] = {
    "ts": (),
    "ts in one file": ("-hls_flags", "single_file"),
    "ts under a key": ("-hls_key_info_file", "{folder}/key.info"),
    "fmp4": FMP4,
    "fmp4 in one file": (*FMP4, "-hls_flags", "single_file"),
    "fmp4 with its sound apart": (*FMP4, *APART),
}


def from_folder(folder: Path, url: str, headers: Mapping[str, str]) -> Answer:
    path = folder / url.removeprefix(URL)
    if not path.is_file():
        raise Refused(404, None)
    data = path.read_bytes()
    if "Range" not in headers:
        return Answer(200, {}, data)
    first, last = map(int, headers["Range"].removeprefix("bytes=").split("-"))
    return Answer(206, {}, data[first : last + 1])


known = cache(media.frame_hashes)


def packaged(folder: Path, *options: str) -> Path:
    """A clip of B-frames as HLS; the clip."""
    clip = media.clip(3, size="160x90", b_frames=2, gop_s=1)
    (folder / "key").write_bytes(bytes(range(16)))
    (folder / "key.info").write_text(f"key\n{folder}/key\n")
    media.ffmpeg(
        "-i", clip, "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod",
        "-master_pl_name", "master.m3u8", "-hls_segment_filename", folder / ("%v-%d" if APART[-1] in options else "%d"),
        *(option.format(folder=folder) for option in options),
        folder / ("%v.m3u8" if APART[-1] in options else "media.m3u8"),
    )  # fmt: skip
    return clip


@pytest.mark.parametrize("form", FORMS)
def test_a_file_with_the_same_media(tmp_path: Path, form: str) -> None:
    clip = packaged(tmp_path, *FORMS[form])
    films = HlsFilms(lambda url, headers: from_folder(tmp_path, url, headers))

    with films.brought(films.look(f"{URL}master.m3u8")) as path:
        assert media.frame_hashes(path) == known(clip, "v")
        if "apart" in form:
            assert [packed_language("eng"), packed_language("fra")] == languages_of(path.read_bytes())[1:]
        sounds = ["a:0", "a:1"] if "apart" in form else ["a:0"]
        for sound in sounds:
            assert len(media.frame_hashes(path, sound)) == len(known(clip, "a"))


def languages_of(data: bytes) -> list[int]:
    moov = find(data, b"moov")
    assert moov
    traks = [each for each in walk(data, moov.start, moov.end) if each.type == b"trak"]
    found = [find(data, b"mdia", b"mdhd", start=each.start, end=each.end) for each in traks]
    return [int.from_bytes(data[each.start + 20 : each.start + 22], "big") for each in found if each]


def test_sound_apart_in_transport_streams_is_told(tmp_path: Path) -> None:
    packaged(tmp_path, *APART)
    films = HlsFilms(lambda url, headers: from_folder(tmp_path, url, headers))
    with pytest.raises(Unusable, match="can't be joined"):
        films.look(f"{URL}master.m3u8")
