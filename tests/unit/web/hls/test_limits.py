"""What a token limits: quality, how many watch, countries; over all that gives out media."""

from dataclasses import replace

import m3u8
import pytest

from server.config import HttpConfig
from server.playback.tokens import Limits
from server.web.hls.gate import WATCHING
from server.web.services import Services
from tests.unit.web.cinema import Cinema, crawl, follow
from tests.unit.web.kit import Client, problem

LINES = 180  # of the pictures in cinema's upload and broadcast


def limited(cinema: Cinema, id: str, **limits: object) -> str:
    return cinema.token(id, limits=Limits(**limits))  # type: ignore[arg-type]


# --- max_quality


async def test_pictures_no_better_than_allowed_are_there(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)

    for id, path in ((video, "/vod/{}/token/{}/hls/manifest.m3u8"), (air.id, "/live/{0}/token/{1}/{0}.m3u8")):
        found = await crawl(viewer, path.format(id, limited(cinema, id, max_quality=4320)))
        assert {response.status for response in found.values()} == {200}
        assert len(found) > 6


async def test_better_ones_are_not(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(), await cinema.on_air()
    low = {"max_quality": 100}
    ofvideo, oflive = cinema.session(video, limits=Limits(**low)), cinema.session(air.id, limits=Limits(**low))
    live = f"/live/{air.id}/token/{oflive}/{air.id}"

    for path in (
        f"/vod/{video}/token/{ofvideo}/hls/manifest.m3u8", f"/vod/{video}/token/{ofvideo}/dash/manifest.mpd",
        f"/vod/{video}/token/{ofvideo}/hls/r1/video/media.m3u8", f"/vod/{video}/token/{ofvideo}/hls/r1/video/0.m4s",
        f"/vod/{video}/token/{ofvideo}/mp4/source.mp4", f"/vod/{video}/token/{ofvideo}/mp4/video.mp4",
        f"{live}.m3u8", f"{live}.mpd", f"{live}/{air.broadcast_id}/video/media.m3u8",
        f"{live}/{air.broadcast_id}/video/0.m4s",
    ):  # fmt: skip
        body = await problem(await viewer.get(path), 403, "playback-blocked")
        assert body["detail"] == "This is of a higher quality than is allowed here.", path
    for path in (
        f"/vod/{video}/token/{ofvideo}/hls/r1/audio/media.m3u8", f"/vod/{video}/token/{ofvideo}/mp4/audio.m4a",
        f"{live}/{air.broadcast_id}/audio/media.m3u8",
    ):  # fmt: skip
        assert (await viewer.get(path)).status == 200, path
    assert viewer.app[WATCHING].door.refusals == {"quality": 10}


# --- sessions


async def test_no_more_watch_than_the_token_allows(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)
    path = f"/vod/{video}/token/{limited(cinema, video, sessions=2)}/hls/manifest.m3u8"
    agents = [{"User-Agent": name} for name in ("phone", "desk", "tv")]

    async def start(agent: dict[str, str]) -> str:
        response = await viewer.get(path, headers=agent, allow_redirects=False)
        assert response.status == 302
        return response.headers["Location"]

    first, second = await start(agents[0]), await start(agents[1])
    assert first != second

    await problem(await viewer.get(path, headers=agents[2], allow_redirects=False), 403, "playback-blocked")
    for agent in agents[:2]:  # a page that is loaded again
        await start(agent)
    assert viewer.app[WATCHING].door.refusals == {"sessions": 1}


async def test_the_sessions_of_one_viewer_are_counted_over_tokens_and_videos(cinema: Cinema, viewer: Client) -> None:
    one, other = await cinema.video(public=False), await cinema.on_air(public=False)
    wish = {"sessions": 1, "viewer": "user-7"}
    first = f"/vod/{one}/token/{limited(cinema, one, **wish)}/hls/manifest.m3u8"
    second = f"/live/{other.id}/token/{limited(cinema, other.id, **wish)}/{other.id}.m3u8"

    assert (await follow(viewer, first))[1].status == 200
    response = await viewer.get(second, headers={"User-Agent": "another"}, allow_redirects=False)

    await problem(response, 403, "playback-blocked")


async def test_who_lost_its_place_gets_no_more_media(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)
    for id, manifest, media in (
        (video, "/vod/{0}/token/{1}/hls/manifest.m3u8", "/vod/{0}/token/{1}/hls/r1/video/0.m4s"),
        (air.id, "/live/{0}/token/{1}/{0}.m3u8", f"/live/{{0}}/token/{{1}}/{{0}}/{air.broadcast_id}/video/0.m4s"),
    ):
        token = limited(cinema, id, sessions=1)
        paths = []
        for _ in range(2):  # the second is the same device, and takes the place of the first
            path, response = await follow(viewer, manifest.format(id, token))
            assert response.status == 200
            paths.append(media.format(id, path.split("/token/")[1].split("/")[0]))

        await problem(await viewer.get(paths[0]), 403, "playback-blocked")
        assert (await viewer.get(paths[1])).status == 200


# --- countries


@pytest.fixture
def services(services: Services) -> Services:
    """Behind a proxy that tells where viewers are."""
    http = HttpConfig(trusted_proxies=["127.0.0.0/8"], country_header="X-Country")
    return replace(services, http=http, country_of={"198.51.100.7": "BE"}.get)


@pytest.mark.parametrize(
    ("headers", "opens"),
    [
        ({"X-Country": "FR"}, True),
        ({"X-Country": "fr"}, True),
        ({"X-Country": "DE"}, False),
        ({"X-Country": "XX"}, False),
        ({}, False),
        ({"X-Forwarded-For": "198.51.100.7"}, True),
        ({"X-Forwarded-For": "198.51.100.7", "X-Country": "DE"}, False),
    ],
)
async def test_only_in_some_countries(
    cinema: Cinema, viewer: Client, headers: dict[str, str], opens: bool
) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)
    limits = Limits(countries=("FR", "BE"))
    first = cinema.session(video, limits=limits)
    second = cinema.session(air.id, limits=limits)

    for path in (
        f"/vod/{video}/token/{first}/hls/manifest.m3u8", f"/vod/{video}/token/{first}/hls/r1/video/0.m4s",
        f"/live/{air.id}/token/{second}/{air.id}.m3u8",
        f"/live/{air.id}/token/{second}/{air.id}/{air.broadcast_id}/video/media.m3u8",
    ):  # fmt: skip
        assert (await viewer.get(path, headers=headers)).status == (200 if opens else 403), path
    assert viewer.app[WATCHING].door.refusals == ({} if opens else {"country": 4})


async def test_the_list_that_is_left_is_a_playlist(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)
    _, response = await follow(
        viewer, f"/vod/{video}/token/{limited(cinema, video, max_quality=LINES * 10)}/hls/manifest.m3u8"
    )

    assert m3u8.loads(await response.text()).playlists[0].stream_info.resolution
