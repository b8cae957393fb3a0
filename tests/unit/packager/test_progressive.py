"""Segments put together to one file: chunks in order, any range of it, and its saved form."""

from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.formats.fmp4.init import init_segment
from server.formats.fmp4.part import audio_part, video_part
from server.formats.sample import AudioConfig, VideoConfig
from server.packager import progressive
from server.packager.presentation import Whole
from server.packager.progressive import Collector, DamagedError, Movie, ProgressiveError
from server.packager.qualities import names, qualities
from tests.harness.mp4 import audio_entry, video_entry

PICTURE = VideoConfig("avc1.42c00d", 90_000, 320, 240, video_entry())
SOUND = AudioConfig("mp4a.40.2", 48_000, 2, 1024, audio_entry())


def pictures(*bases: int) -> Collector:
    made = Collector("720p", init_segment(PICTURE))
    for number, base in enumerate(bases):
        made.add(number, 0, video_part(1, base, [3000] * 3, [0] * 3, [True, False, False], [b"abc"] * 3))
    return made


def sound(*bases: int) -> Collector:
    made = Collector("audio", init_segment(SOUND))
    for number, base in enumerate(bases):
        made.add(number, 0, audio_part(1, base, 1024, [b"sound"] * 4))
    return made


def test_chunks_follow_one_another_by_time() -> None:
    made, head = progressive.movie([pictures(0, 9000, 18_000), sound(0, 4096, 8192)])
    assert (made.renditions, made.head_size, made.size) == (("720p", "audio"), len(head), len(head) + 27 + 60)
    assert list(zip(made.track, made.number, strict=True)) == [(0, 0), (1, 0), (1, 1), (0, 1), (1, 2), (0, 2)]


@given(st.integers(0, 90), st.integers(0, 90))
def test_slices_are_the_bytes_that_were_asked_for(first: int, second: int) -> None:
    made, head = progressive.movie([pictures(0, 9000, 18_000), sound(0, 4096, 8192)])
    start, stop = len(head) + min(first, second), len(head) + max(first, second)
    payload = {"720p": b"abc" * 3, "audio": b"sound" * 4}
    whole = b"".join(payload[made.renditions[track]] for track in made.track)
    found = b""
    for each in made.slices(start, stop):
        header = {"720p": pictures(0), "audio": sound(0)}[each.rendition].offsets[0]
        found += payload[each.rendition][each.offset - header : each.offset - header + each.size]
    assert found == whole[start - len(head) : stop - len(head)]


def test_a_sample_lasts_until_the_next_segment() -> None:
    assert list(pictures(0, 9500).table.durations) == [3000, 3000, 3500, 3000, 3000, 3000]
    assert list(pictures(0, 8000).table.durations) == [3000, 3000, 2000, 3000, 3000, 3000]
    with pytest.raises(ProgressiveError, match="overlap"):
        pictures(0, 5999)


def test_what_begins_before_zero_moves_all() -> None:
    early = Collector("audio", init_segment(SOUND))
    early.add(0, 0, audio_part(1, 480, 1024, [b"sound"]), shift=-960)
    _, head = progressive.movie([pictures(0), early])
    assert b"elst" in head  # of the pictures: 10 ms later


def test_offsets_and_keys_that_begin_late_count_from_the_first() -> None:
    made = Collector("720p", init_segment(PICTURE))
    made.add(0, 0, video_part(1, 0, [3000] * 2, [0] * 2, [True] * 2, [b"abc"] * 2))
    assert (list(made.table.cts), made.table.sync) == ([], None)
    made.add(1, 0, video_part(2, 6000, [3000] * 3, [0, 3000, -3000], [True, False, False], [b"abc"] * 3))
    made.add(2, 0, video_part(3, 15_000, [3000] * 2, [0] * 2, [True] * 2, [b"abc"] * 2))
    assert list(made.table.cts) == [0, 0, 0, 3000, -3000, 0, 0]
    assert list(made.table.sync or ()) == [0, 1, 2, 5, 6]


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progressive, "MAX_SAMPLES", 5)
    with pytest.raises(ProgressiveError, match="more than 5"):
        pictures(0, 9000)
    with pytest.raises(ProgressiveError, match="nothing"):
        progressive.movie([])
    with pytest.raises(ProgressiveError, match="nothing"):
        progressive.movie([sound()])


def test_the_saved_form() -> None:
    made, head = progressive.movie([pictures(0, 9000), sound(0, 4096)])
    saved = made.described()
    assert progressive.described_size(saved[: progressive.PREFIX_BYTES]) == len(saved)
    assert Movie.of_bytes(saved + head) == made


@given(st.integers(0, 200), st.integers(1, 255))
def test_a_damaged_form_is_told(at: int, change: int) -> None:
    made, _ = progressive.movie([sound(0)])
    saved = bytearray(made.described())
    size = progressive.described_size(bytes(saved))
    at %= size
    saved[at] ^= change
    if 16 <= at < 20 or 8 <= at < 16 or at in (6, 7):
        return  # what is behind, and what is passed over
    with pytest.raises(DamagedError):
        Movie.of_bytes(bytes(saved[: progressive.described_size(bytes(saved))]))
    with pytest.raises(DamagedError):
        Movie.of_bytes(bytes(saved[:10]))


class Fake:
    """A presentation of renditions that are whole, or not."""

    def __init__(self, whole: dict[str, VideoConfig | AudioConfig], coming: Sequence[str] = ()) -> None:
        self.renditions = (*whole, *coming)
        self.growing = bool(coming)
        self._whole = whole

    def whole(self, name: str) -> Whole | None:
        return Whole(init_segment(self._whole[name]), [(0, 0)]) if name in self._whole else None


def entry(kind: bytes, channels: int) -> AudioConfig:
    plain = bytearray(audio_entry())
    plain[4:8] = kind
    plain[24:26] = channels.to_bytes(2, "big")
    return AudioConfig("x", 48_000, channels, 1024, bytes(plain))


STEREO, SURROUND, AC3 = entry(b"mp4a", 2), entry(b"mp4a", 6), entry(b"ac-3", 6)


@pytest.mark.parametrize(
    ("presentation", "expected"),
    [
        (Fake({"video": PICTURE, "audio": STEREO}),
         {"video": ("video", "audio"), "240p": ("video", "audio"), "audio": ("audio",)}),
        (Fake({"240p": PICTURE, "video": PICTURE}), {"240p": ("240p",), "video": ("video",)}),
        (Fake({"240p": PICTURE, "audio": AC3, "audio-aac": STEREO}),
         {"240p": ("240p", "audio-aac"), "audio": ("audio-aac",)}),
        (Fake({"240p": PICTURE, "audio": SURROUND, "audio-aac": STEREO, "audio2": STEREO}),
         {"240p": ("240p", "audio-aac"), "audio": ("audio-aac",)}),
        (Fake({"240p": PICTURE}, ["audio"]), {}),
        (Fake({"240p": PICTURE, "audio": AC3}, ["480p"]), {}),
        (Fake({"240p": PICTURE, "audio": STEREO}, ["480p"]), {"240p": ("240p", "audio"), "audio": ("audio",)}),
    ],
)  # fmt: skip
def test_which_files_there_are(presentation: Fake, expected: dict[str, tuple[str, ...]]) -> None:
    assert qualities(presentation) == expected  # type: ignore[arg-type]
    assert set(names(list(expected))) == {f"{name}.m4a" if name == "audio" else f"{name}.mp4" for name in expected}


def test_columns_stay_numbers() -> None:
    made, _ = progressive.movie([sound(0)])
    assert isinstance(made.ends, array)
