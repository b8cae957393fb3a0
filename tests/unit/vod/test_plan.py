"""Which renditions are made of a source, where they are cut, and in which jobs."""

from dataclasses import replace
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.facts import PictureFacts, SoundFacts, SourceFacts
from server.media.ladder import Source
from server.media.orders import Reading
from server.vod import plan
from server.vod.plan import TIMESCALE, Chunk, Effort, OnRequest, Plan, Shown

LADDER = (1080, 720, 480, 360, 240)
SECOND = TIMESCALE


@pytest.mark.parametrize(
    ("width", "height", "bitrate", "passes", "names"),
    [
        (1920, 1080, 5_000_000, True, "720p 480p 360p 240p"),  # the source is as light as its own rendition
        (1920, 1080, 20_000_000, True, "1080p 720p 480p 360p 240p"),
        (1920, 1080, 20_000_000, False, "1080p 720p 480p 360p 240p"),
        (3840, 2160, 40_000_000, True, "1080p 720p 480p 360p 240p"),
        (1080, 1920, 20_000_000, False, "1080p 720p 480p 360p 240p"),  # upright
        (1280, 720, None, True, "720p 480p 360p 240p"),
        (642, 642, 700_000, False, "642p 480p 360p 240p"),
        (426, 240, 300_000, True, "240p"),
        (160, 120, 100_000, False, "120p"),
        (160, 120, 100_000, True, ""),
    ],
)
def test_a_ladder_fits_its_source(width: int, height: int, bitrate: int | None, passes: bool, names: str) -> None:
    rungs = plan.choose(Source(width, height, frame_rate=30.0, bitrate=bitrate), LADDER, passes)
    assert " ".join(rung.name for rung in rungs) == names


def test_an_upright_picture_stays_upright() -> None:
    (rung, *_) = plan.choose(Source(1080, 1920), LADDER, False)
    assert (rung.width, rung.height) == (1080, 1920)


def test_a_source_of_a_better_codec_does_not_limit_the_bits() -> None:
    light = Source(1920, 1080, frame_rate=30.0, bitrate=1_000_000)
    assert plan.choose(light, LADDER, False)[0].bitrate > 1_000_000


@pytest.mark.parametrize(
    ("end_s", "cuts_s", "times_s"),
    [
        (5.0, (), (0, 2, 4, 5)),
        (4.3, (), (0, 2, 4.3)),  # no runt
        (0.2, (), (0, 0.2)),
        (10, (4, 8), (0, 2, 4, 6, 8, 10)),
        (10, (5,), (0, 5 / 3, 10 / 3, 5, 20 / 3, 25 / 3, 10)),
        (8.2, (4, 8), (0, 2, 4, 4 + 1.4, 4 + 2.8, 8.2)),  # the source's last cut would leave a runt
    ],
)
def test_cuts_are_the_passthroughs_and_two_seconds_apart(
    end_s: float, cuts_s: tuple[float, ...], times_s: tuple[float, ...]
) -> None:
    found = plan.grid(round(end_s * SECOND), [round(cut * SECOND) for cut in cuts_s])
    assert [time / SECOND for time in found] == pytest.approx(times_s, abs=0.0001)


@given(
    st.integers(1, 20_000 * SECOND),
    st.lists(st.integers(SECOND // 10, 12 * SECOND), max_size=60),
)
def test_a_grid_rises_from_0_to_the_end(end: int, steps: list[int]) -> None:
    cuts = [sum(steps[: n + 1]) for n in range(len(steps))]
    times = plan.grid(end, cuts)
    assert times[0] == 0
    assert times[-1] == end
    assert all(0 < b - a <= (plan.LONGEST_S + plan.SHORTEST_S) * SECOND for a, b in pairwise(times))
    assert {cut for cut in cuts if cut < end - plan.SHORTEST_S * SECOND} <= set(times)


def test_the_smallest_comes_first_and_by_itself() -> None:
    cuts = plan.grid(200 * SECOND)
    assert plan.chunks(cuts, ("720p", "480p", "240p"), 60) == (
        Chunk(("240p",), 0, 3),
        Chunk(("720p", "480p"), 0, 3),
        Chunk(("720p", "480p", "240p"), 4, 33),
        Chunk(("720p", "480p", "240p"), 34, 63),
        Chunk(("720p", "480p", "240p"), 64, 99),  # with the small rest
    )


@pytest.mark.parametrize(
    ("end_s", "names", "shares"),
    [
        (3, ("480p",), [Chunk(("480p",), 0, 1)]),
        (3, ("480p", "240p"), [Chunk(("240p",), 0, 1), Chunk(("480p",), 0, 1)]),
        (3, (), []),
        (0, ("480p",), []),
    ],
)
def test_short_ones_are_few_jobs(end_s: int, names: tuple[str, ...], shares: list[Chunk]) -> None:
    assert list(plan.chunks(plan.grid(end_s * SECOND) if end_s else (0,), names)) == shares


@given(st.integers(1, 5000 * SECOND), st.integers(1, 5), st.floats(2, 600))
def test_every_segment_of_every_rendition_is_in_one_job(end: int, count: int, chunk_s: float) -> None:
    cuts, names = plan.grid(end), [f"{number}p" for number in range(count, 0, -1)]
    shares = plan.chunks(cuts, names, chunk_s)
    for name in names:
        made = sorted(n for share in shares if name in share.renditions for n in range(share.first, share.last + 1))
        assert made == list(range(len(cuts) - 1))


STEREO, SIX = SoundFacts(1, "aac", 2, 48_000, language="en"), SoundFacts(2, "ac3", 6, 48_000, language="fr")
MONO = SoundFacts(3, "vorbis", 1, 44_100)


@pytest.mark.parametrize(
    ("sounds", "shown", "companions", "expected"),
    [
        ((STEREO,), Shown(frozenset({"audio"}), sounds=frozenset({1})), True, []),
        ((STEREO, SIX), Shown(frozenset({"audio"}), sounds=frozenset({1})), True, [("audio2-aac", 2, 2)]),
        ((STEREO, SIX), Shown(frozenset({"audio"}), sounds=frozenset({1})), False, []),
        ((SIX, MONO), Shown(), False, [("audio-aac", 2, 2), ("audio2-aac", 3, 1)]),
        # six channels of AAC that all browsers play: stereo beside them where a ladder is made
        ((SIX,), Shown(frozenset({"audio"}), sounds=frozenset({1})), True, [("audio-aac", 2, 2)]),
        ((SIX,), Shown(frozenset({"audio"}), sounds=frozenset({1})), False, []),
    ],
)
def test_sound_is_made_where_it_is_not_heard_everywhere(
    sounds: tuple[SoundFacts, ...], shown: Shown, companions: bool, expected: list[tuple[str, int, int]]
) -> None:
    found = plan.sounds(SourceFacts("Matroska", 10.0, sounds=sounds), shown, companions)
    assert [(each.rendition, each.stream, each.channels) for each in found] == expected


def test_cuts_of_what_is_made_on_request_lie_on_pictures() -> None:
    """Of a source whose pictures are told; one that comes too late, or after the next cut, is not waited for."""
    every = [number * 3003 for number in range(400)]
    assert plan.at_pictures((0, 180_000, 360_000, 540_000), every) == (0, 60 * 3003, 120 * 3003, 540_000)
    assert plan.at_pictures((0, 180_000, 360_000), [0, 210_000]) == (0, 180_000, 360_000)
    assert plan.at_pictures((0, 180_000, 181_000, 360_000), [0, 182_000]) == (0, 180_000, 182_000, 360_000)
    assert plan.at_pictures((0, 180_000), []) == (0, 180_000)


@given(
    st.lists(st.integers(1, 400_000), min_size=1, max_size=40),
    st.lists(st.integers(0, 4_000_000), max_size=60),
)
def test_cuts_stay_in_order(lengths: list[int], times: list[int]) -> None:
    cuts = [0]
    for length in lengths:
        cuts.append(cuts[-1] + length)
    moved = plan.at_pictures(cuts, times)
    assert (len(moved), moved[0], moved[-1]) == (len(cuts), 0, cuts[-1])
    assert all(after > before for before, after in pairwise(moved))
    assert all(0 <= after - before <= plan.LATE for before, after in zip(cuts, moved, strict=True))


def test_cuts_without_an_index_are_whole_pictures() -> None:
    """30000/1001 pictures a second: sixty of them are 2.002 s."""
    assert plan.at_rate((0, 180_000, 360_000, 500_000), 3003) == (0, 180_180, 360_360, 500_000)
    assert plan.at_rate((0, 180_000, 360_000), 90_000) == (0, 180_000, 360_000), "one a second"


@pytest.mark.parametrize("on_request", [None, OnRequest(0, 23.0), OnRequest(1499, 21.5, (1, 1, 1, 1))])
def test_a_plan_is_kept_whole(on_request: OnRequest | None) -> None:
    rungs, effort = plan.choose(Source(640, 360), LADDER, True), Effort("fast", 20.5, 3)
    kept = Plan(4.0, (0, 180_000, 360_000), rungs, effort=effort, on_request=on_request)
    assert Plan.of_bytes(kept.to_bytes()) == kept


def test_a_plan_from_before_efforts_were_kept_is_read() -> None:
    told = orjson.loads(Plan(4.0, (0, 180_000)).to_bytes())
    del told["effort"]
    assert Plan.of_bytes(orjson.dumps(told)).effort is None


def test_what_is_made_on_request_is_ordered_alike() -> None:
    kept = Plan(4.0, (0, 180_000, 360_000), plan.choose(Source(640, 360), LADDER, True))
    facts = SourceFacts("MP4", 4.0, picture=PictureFacts(0, "h264", 640, 360, frame_rate=25.0))
    by_index = replace(kept, pictures=Reading(indexed=True))
    indexed = plan.made_on_request(by_index, facts, Shown(), [0, 180_500], 23.0)
    assert (indexed.cuts, indexed.on_request) == ((0, 180_500, 360_000), OnRequest(0, 23.0))
    sought = plan.made_on_request(kept, facts, Shown(), (), 23.0)
    assert (sought.cuts, sought.on_request) == (kept.cuts, OnRequest(1764, 23.0)), "nearly half a picture"
    first, second = (plan.order_of(sought, n, sought.cuts[n : n + 2], kept.rungs[:1]) for n in (0, 1))
    assert replace(first, first=1, cuts=second.cuts) == second
    assert plan.made_on_request(replace(kept, rungs=()), facts, Shown(), (), 23.0).on_request is None
