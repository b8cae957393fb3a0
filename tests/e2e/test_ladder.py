"""A live stream with lower renditions: cut alike, decodable, and adaptive still as a recording."""

from collections.abc import Callable
from typing import Any, NamedTuple

import m3u8
import pytest

from server.formats.fmp4.read import read_samples
from server.formats.sample import Sample
from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server

SOURCE, HIGHER, LOWER = (320, 180), (256, 144), (160, 90)


class Rendition(NamedTuple):
    url: str
    media_sequence: int
    listed: list[m3u8.Segment]
    segments: list[list[Sample]]

    @property
    def starts(self) -> list[int]:
        return [samples[0].pts for samples in self.segments]


def renditions(server: Server, master: str) -> dict[tuple[int, int], Rendition]:
    """The video renditions of a multivariant playlist by their size, with all that they list."""
    found = {}
    for variant in m3u8.loads(server.get(master).text).playlists:
        url = f"{master.rpartition('/')[0]}/{variant.uri}"
        playlist = m3u8.loads(server.get(url).text)
        folder = url.rpartition("/")[0]
        listed = [segment for segment in playlist.segments if segment.uri]  # not what has only parts yet
        samples = [read_samples(server.get(f"{folder}/{segment.uri}").body) for segment in listed]
        found[variant.stream_info.resolution] = Rendition(
            server.http + url, playlist.media_sequence, listed, samples
        )
    return found


def all_with_segments(server: Server, master: str) -> dict[tuple[int, int], Rendition]:
    """The renditions, once there are two whole segments of all three."""
    if server.get(master).status != 200:
        return {}
    found = renditions(server, master)
    return found if len(found) == 3 and all(len(each.listed) >= 2 for each in found.values()) else {}


def recording(server: Server, live: dict[str, Any]) -> dict[str, Any]:
    found = until(lambda: server.api("GET", f"/videos?liveStreamId={live['liveStreamId']}")["data"])
    video: dict[str, Any] = found[0]
    return video


def test_renditions_are_cut_alike_live_and_recorded(server: Server) -> None:
    source = media.clip(10, gop_s=1, b_frames=2)
    live = server.live_stream(renditions=[{"height": 144}, {"height": 90, "videoBitrate": 60_000, "fps": 15}])
    master = f"/live/{live['liveStreamId']}.m3u8"
    with publishing(source, server.ingest_url(live)) as publisher:
        on_air = until(lambda: all_with_segments(server, master), step_s=0.3)
        publisher.stop()

    assert set(on_air) == {SOURCE, HIGHER, LOWER}
    recorded = renditions(server, f"/vod/{recording(server, live)['videoId']}/hls/manifest.m3u8")
    assert set(recorded) == set(on_air)
    for found in (on_air, recorded):
        _same_cuts(found[SOURCE], [found[HIGHER], found[LOWER]])
    pictures, made = (
        sorted(sample.pts for samples in recorded[size].segments for sample in samples) for size in (SOURCE, HIGHER)
    )
    assert made == pictures[: len(made)]
    assert len(pictures) - len(made) <= 2  # what is shown after the last picture that is decoded
    counts = {size: len(media.frame_hashes(each.url)) for size, each in recorded.items()}
    assert (counts[SOURCE], counts[HIGHER]) == (len(pictures), len(made))
    assert abs(counts[LOWER] - len(pictures) / 2) <= len(recorded[SOURCE].segments) + 1
    rates = [variant.stream_info.bandwidth for variant in whole_master(server, live).playlists]
    assert rates == sorted(rates, reverse=True)


def test_renditions_that_can_not_be_made_are_warned_of(make_server: Callable[..., Server]) -> None:
    server = make_server(SLUICE_LIVE__MAX_LADDERS="0")
    live = server.live_stream(renditions=[{"height": 144}])
    path, code = f"/live-streams/{live['liveStreamId']}", "renditions-given-up"

    def warnings() -> list[Any]:
        return [each for each in server.api("GET", f"{path}/health")["warnings"] if each["code"] == code]

    def events() -> list[Any]:
        told = server.api("GET", f"/events?objectId={live['liveStreamId']}&types=live-stream.health.warning")["data"]
        return [each["data"] for each in told if each["data"]["code"] == code]

    with publishing(media.clip(20, gop_s=1), server.ingest_url(live)):
        assert "144p" in until(warnings)[0]["message"]
        assert until(events)[0]["active"]
        assert server.api("GET", f"{path}/health")["ladder"]["givenUp"] == ["144p"]


def whole_master(server: Server, live: dict[str, Any]) -> m3u8.M3U8:
    return m3u8.loads(server.get(f"/vod/{recording(server, live)['videoId']}/hls/manifest.m3u8").text)


def _same_cuts(source: Rendition, others: list[Rendition]) -> None:
    """Segments of the same numbers begin with key frames at the same times."""
    assert len(source.segments) >= 2
    for other in others:
        count = min(len(source.segments), len(other.segments))  # on air one may be a segment further
        assert abs(len(source.segments) - len(other.segments)) <= 1
        assert other.media_sequence == source.media_sequence
        assert other.starts[:count] == source.starts[:count]
        for mine, its in zip(other.segments[:count], source.segments[:count], strict=True):
            assert mine[0].key
            assert [sample.pts for sample in mine if sample.key] == [sample.pts for sample in its if sample.key]
        for mine, its in zip(other.listed[:count], source.listed[:count], strict=True):
            assert mine.uri == its.uri
            # the last segment of the source ends with the picture decoded last, which others are shown after
            assert abs(mine.duration - its.duration) < (0.2 if its is source.listed[-1] else 0.04)
            assert mine.program_date_time == its.program_date_time
