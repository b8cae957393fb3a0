"""Who gets in: every form of a token, every spelling of an id, and paths that try tricks."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urljoin

import pytest
from yarl import URL

from server import clock, ids
from server.catalog import video_details
from server.catalog.models import Video
from server.playback.tokens import THUMBNAIL, Limits
from server.web.services import Services
from tests.unit.web.cinema import JPEG, Cinema, crawl, follow
from tests.unit.web.kit import Client, problem

Path = Callable[[str, str], str]  # id, token -> path

VIDEO_PATHS: dict[str, Path] = {
    "in the path": lambda id, token: f"/vod/{id}/token/{token}/hls/manifest.m3u8",
    "?token=": lambda id, token: f"/vod/{id}/hls/manifest.m3u8?token={token}",
    "?avh=": lambda id, token: f"/vod/{id}/hls/manifest.m3u8?avh={token}",
}
LIVE_PATHS: dict[str, Path] = {
    "in the path": lambda id, token: f"/live/{id}/token/{token}/{id}.m3u8",
    "?token=": lambda id, token: f"/live/{id}.m3u8?token={token}",
    "?avh=": lambda id, token: f"/live/{id}.m3u8?avh={token}",
}
every_form = pytest.mark.parametrize("form", VIDEO_PATHS)


# --- pages of named domains


PAGE, ELSEWHERE = {"Referer": "https://shop.example/film"}, {"Origin": "https://evil.example"}


async def restrict(cinema: Cinema, *domains: str, word: str = "custom") -> str:
    id = await cinema.video()
    async with cinema.database.write() as transaction:
        row = await transaction.get_one(Video, id)
        await video_details.set_privacy(transaction, row, word, domains)
    return id


async def test_pages_of_named_domains_play_and_others_do_not(cinema: Cinema, viewer: Client) -> None:
    id = await restrict(cinema, "shop.example", "*.cdn.example")

    for tail in ("hls/manifest.m3u8", "dash/manifest.mpd", "mp4/source.mp4"):
        for said in (PAGE, {"Origin": "https://a.cdn.example"}):
            _, response = await follow(viewer, f"/vod/{id}/{tail}", headers=said)
            assert response.status == 200, (tail, said)
            assert response.headers["Cache-Control"].startswith(("private", "no-cache"))
        for said in (ELSEWHERE, {}, {"Origin": "https://cdn.example"}, {"Sec-Fetch-Site": "same-origin"}):
            await problem(await viewer.get(f"/vod/{id}/{tail}", headers=said), 403, "playback-blocked")
    await problem(await viewer.get(f"/vod/{id}/hls/r1/video/media.m3u8"), 403, "playback-blocked")
    assert (await follow(viewer, f"/vod/{id}/hls/manifest.m3u8?token={cinema.token(id)}"))[1].status == 200


async def test_what_a_page_began_goes_on_without_saying_where_it_is(cinema: Cinema, viewer: Client) -> None:
    id = await restrict(cinema, "shop.example")
    path, _ = await follow(viewer, f"/vod/{id}/hls/manifest.m3u8", headers=PAGE)
    assert f"/vod/{id}/token/" in path

    assert {response.status for response in (await crawl(viewer, path)).values()} == {200}
    await problem(await viewer.get(path, headers=ELSEWHERE), 403, "playback-blocked")


async def test_what_a_page_began_is_not_carried_into_pages_that_do_not_tell_their_name(
    cinema: Cinema, viewer: Client
) -> None:
    id = await restrict(cinema, "shop.example")
    path, _ = await follow(viewer, f"/vod/{id}/hls/manifest.m3u8", headers=PAGE)
    token = path.split("/token/")[1].split("/")[0]
    root = f"/vod/{id}/token/{token}"
    media = next(url for url in await crawl(viewer, path) if url.endswith("/video/0.m4s"))

    for site in ("cross-site", "same-site"):
        for url in (path, media, f"{root}/dash/manifest.mpd", f"{root}/mp4/source.mp4", f"/embed/{id}?token={token}",
                    f"/vod/{id}/hls/manifest.m3u8?token={token}", f"{root}/thumbnail.jpg"):  # fmt: skip
            assert (await viewer.get(url, headers={"Sec-Fetch-Site": site})).status == 403, url
        assert (await viewer.get(media, headers={**PAGE, "Sec-Fetch-Site": site})).status == 200
        assert (await viewer.get(f"{root}/mp4/source.mp4", headers={**PAGE, "Sec-Fetch-Site": site})).status == 200
    for url in (f"{root}/mp4/source.mp4", f"/embed/{id}?token={token}", f"/vod/{id}/hls/manifest.m3u8?token={token}",
                f"{root}/session"):  # fmt: skip
        assert (await viewer.get(url)).status == 403, url
    for said in ({}, {"Sec-Fetch-Site": "same-origin"}):
        found = await crawl(viewer, path, headers=said)
        assert {response.status for response in found.values()} == {200}


async def test_the_player_s_page_is_for_frames_of_named_domains(cinema: Cinema, viewer: Client) -> None:
    id = await restrict(cinema, "shop.example")

    page = await viewer.get(f"/embed/{id}", headers=PAGE)
    assert page.status == 200
    manifest = json.loads((await page.text()).split(">")[-2].removesuffix("</script"))["manifest"]
    assert {response.status for response in (await crawl(viewer, manifest)).values()} == {200}
    for said in (ELSEWHERE, {}):
        assert (await viewer.get(f"/embed/{id}", headers=said)).status == 403


async def test_a_domain_that_is_taken_back_plays_no_more(cinema: Cinema, viewer: Client) -> None:
    id = await restrict(cinema, "shop.example", "other.example")
    paths = [
        (await follow(viewer, f"/vod/{id}/hls/manifest.m3u8", headers={"Origin": f"https://{host}"}))[0]
        for host in ("shop.example", "other.example")
    ]
    async with cinema.database.write() as transaction:
        await video_details.set_privacy(transaction, await transaction.get_one(Video, id), "custom", ["other.example"])

    await problem(await viewer.get(paths[0]), 403, "playback-token-invalid")
    assert (await viewer.get(paths[1])).status == 200
    await problem(await viewer.get(f"/vod/{id}/hls/manifest.m3u8", headers=PAGE), 403, "playback-blocked")


@pytest.mark.parametrize(("word", "domains"), [("nowhere", ["shop.example"]), ("custom", [])])
async def test_nowhere_and_no_domain_ask_for_a_token(
    cinema: Cinema, viewer: Client, word: str, domains: list[str]
) -> None:
    id = await restrict(cinema, *domains, word=word)

    await problem(await viewer.get(f"/vod/{id}/hls/manifest.m3u8", headers=PAGE), 403, "playback-token-missing")


# --- videos and live streams, public and private


async def test_a_public_asset_needs_no_token_anywhere(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(), await cinema.on_air()

    for path in (f"/vod/{video}/hls/manifest.m3u8", air.manifest):
        found = await crawl(viewer, path)
        assert {response.status for response in found.values()} == {200}
        assert len(found) > 6
        assert all("/token/" not in url for url in found)


async def test_a_private_assets_tree_is_open_under_its_token_and_nowhere_else(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)
    opening = {
        VIDEO_PATHS["in the path"](video, cinema.token(video)): f"/vod/{video}",
        LIVE_PATHS["in the path"](air.id, cinema.token(air.id)): f"/live/{air.id}",
    }

    for path, root in opening.items():
        found = await crawl(viewer, path)
        assert {response.status for response in found.values()} == {200}
        for url, response in found.items():
            assert url.startswith(f"{root}/token/")
            assert response.headers["Cache-Control"].startswith(("private", "no-cache"))
            bare = root + "/" + url.split("/token/", 1)[1].split("/", 1)[1]
            bare = bare.replace(f"/live/{air.id}/{air.id}", f"/live/{air.id}")
            await problem(await viewer.get(bare), 403, "playback-token-missing")


async def test_without_a_token_a_private_asset_says_so(cinema: Cinema, viewer: Client) -> None:
    video, live = await cinema.video(public=False), await cinema.make_live(public=False)

    for path in (f"/vod/{video}/hls/manifest.m3u8", f"/vod/{video}/thumbnail.jpg", f"/vod/{video}/mp4/source.mp4",
                 f"/live/{live}.m3u8", f"/live/{live}/thumbnail.jpg"):  # fmt: skip
        response = await viewer.get(path)
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 403, "playback-token-missing")


@pytest.mark.parametrize("public", [True, False])
@every_form
async def test_an_opening_token_is_exchanged_for_a_session(
    cinema: Cinema, viewer: Client, form: str, public: bool
) -> None:
    video, air = await cinema.video(public=public), await cinema.on_air(public=public)

    for id, paths, tail in ((video, VIDEO_PATHS, "hls/manifest.m3u8"), (air.id, LIVE_PATHS, f"{air.id}.m3u8")):
        opening = cinema.token(id)
        response = await viewer.get(paths[form](id, opening), allow_redirects=False)

        assert response.status == 302
        assert response.headers["Cache-Control"] == "no-store"
        location = urljoin(paths[form](id, opening), response.headers["Location"])
        kind = "vod" if id == video else "live"
        assert location.startswith(f"/{kind}/{id}/token/")
        assert location.endswith(f"/{tail}")
        session = location.split("/token/")[1].split("/")[0]
        grant = cinema.tokens.verify(session, id)
        assert grant.session
        assert grant.token_id == cinema.tokens.verify(opening, id).token_id
        answer = await viewer.get(location, allow_redirects=False)
        assert answer.status == 200


@pytest.mark.parametrize("form", ["?token=", "?avh="])
async def test_a_session_in_the_query_moves_to_the_path_as_it_is(cinema: Cinema, viewer: Client, form: str) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)

    for id, paths in ((video, VIDEO_PATHS), (air.id, LIVE_PATHS)):
        session = cinema.session(id)
        path, response = await follow(viewer, paths[form](id, session))
        assert response.status == 200
        assert path == paths["in the path"](id, session)


async def test_the_token_of_the_path_counts_first(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)

    path = VIDEO_PATHS["in the path"](video, "rubbish") + f"?token={cinema.token(video)}"

    await problem(await viewer.get(path), 403, "playback-token-invalid")


async def test_a_token_in_the_query_is_enough_for_anything_but_a_manifest(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)

    for name in ("hls/r1/video/media.m3u8", "hls/r1/video/init.mp4", "hls/r1/audio/0.m4s", "mp4/source.mp4"):
        response = await viewer.get(f"/vod/{video}/{name}?token={cinema.token(video)}", allow_redirects=False)
        assert response.status == 200


# --- tokens that open nothing


def _none(token: str) -> str:
    """The same claims under `alg: none`."""
    header = urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (lambda cinema, id: cinema.token(id, ttl_s=-60), "playback-token-expired"),
        (lambda cinema, id: cinema.token(id)[:-2] + "xx", "playback-token-invalid"),
        (lambda cinema, id: cinema.token("x" + cinema.token(id))[1:], "playback-token-invalid"),
        (lambda cinema, id: _none(cinema.token(id)), "playback-token-invalid"),
        (lambda cinema, id: cinema.token(ids.new(id[:2])), "playback-token-invalid"),
        (lambda cinema, id: cinema.token(id, audience=THUMBNAIL), "playback-token-invalid"),
        (lambda cinema, id: cinema.token(id, audience="stats"), "playback-token-invalid"),
        (lambda cinema, id: "rubbish", "playback-token-invalid"),
        (lambda cinema, id: "a" * 5000, "playback-token-invalid"),
        (lambda cinema, id: cinema.token(id, limits=Limits(ip="192.0.2.1")), "playback-blocked"),
        (lambda cinema, id: cinema.token(id, limits=Limits(origins=("https://example.com",))), "playback-blocked"),
    ],
    ids=["expired", "tampered", "cut", "alg none", "foreign", "thumbnail", "stats", "rubbish", "long", "ip", "origin"],
)
@pytest.mark.parametrize("public", [True, False])
async def test_a_bad_token_opens_nothing(
    cinema: Cinema, viewer: Client, made: Callable[[Cinema, str], str], code: str, public: bool
) -> None:
    """Also on a public asset: a link that is not true must not half work."""
    video, air = await cinema.video(public=public), await cinema.on_air(1, public=public)
    token = made(cinema, video)
    below = [f"/vod/{video}/token/{token}/{name}" for name in ("hls/r1/video/0.m4s", "mp4/source.mp4", "session")]
    for path in [*(form(video, token) for form in VIDEO_PATHS.values()), *below]:
        response = await viewer.get(path, allow_redirects=False)
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 403, code)

    token = made(cinema, air.id)
    below = [air.path(name) + f"?token={token}" for name in ("0.m4s", "media.m3u8")]
    for path in [*(form(air.id, token) for form in LIVE_PATHS.values()), *below]:
        await problem(await viewer.get(path, allow_redirects=False), 403, code)


async def test_a_thumbnail_token_opens_images_only(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False, poster_at=clock.now())
    cinema.layout.video_poster(video).write_bytes(JPEG)
    air = await cinema.on_air(public=False)

    for id, path in ((video, f"/vod/{video}"), (air.id, f"/live/{air.id}")):
        for audience in ("thumbnail", "playback"):
            response = await viewer.get(f"{path}/token/{cinema.token(id, audience=audience)}/thumbnail.jpg")
            assert (response.status, await response.read()) == (200, JPEG)


async def test_a_revoked_token_and_its_sessions_open_nothing(
    cinema: Cinema, viewer: Client, services: Services
) -> None:
    video = await cinema.video(public=False)
    opening = cinema.tokens.mint(video)
    path, response = await follow(viewer, VIDEO_PATHS["in the path"](video, opening.token))
    assert response.status == 200

    await services.revocations.add("pr1111111111111111111111", opening.token_id)

    for revoked in (path, VIDEO_PATHS["?token="](video, opening.token)):
        await problem(await viewer.get(revoked), 403, "playback-token-invalid")


async def test_tokens_made_before_a_time_open_nothing(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)
    path, response = await follow(viewer, VIDEO_PATHS["in the path"](video, cinema.token(video)))
    assert response.status == 200

    await cinema.change(video, tokens_valid_after=clock.now() + timedelta(milliseconds=1))

    await problem(await viewer.get(path), 403, "playback-token-invalid")


async def test_a_page_that_is_allowed_plays(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)
    path = VIDEO_PATHS["in the path"](video, cinema.token(video, limits=Limits(origins=("https://example.com",))))

    for headers in (
        {"Origin": "https://example.com"},
        {"Referer": "https://example.com/a?b"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Referer": "https://example.com/"},
    ):
        assert (await viewer.get(path, headers=headers, allow_redirects=False)).status == 302
    for headers in ({"Origin": "https://example.net"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await viewer.get(path, headers=headers)).status == 403


async def test_making_an_asset_private_shuts_its_public_urls(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video()
    path = f"/vod/{video}/hls/r1/video/0.m4s"
    assert (await viewer.get(path)).status == 200

    await cinema.change(video, public=False)

    await problem(await viewer.get(path), 403, "playback-token-missing")


# --- ids and paths


async def test_every_spelling_of_an_id_names_the_same(cinema: Cinema, viewer: Client) -> None:
    video, air = await cinema.video(public=False), await cinema.on_air(public=False)

    for id, prefix in ((video, "vi"), (air.id, "li")):
        token = cinema.token(id)
        uuid = ids.to_uuid(prefix, id)
        for spelling in (id, id.removeprefix(prefix), str(uuid), uuid.hex.upper()):
            paths = (VIDEO_PATHS if prefix == "vi" else LIVE_PATHS).values()
            for path in [form(spelling, token) for form in paths]:
                assert (await follow(viewer, path))[1].status == 200
            assert (await viewer.get(f"/embed/{spelling}?token={token}")).status == 200
            root = "vod" if prefix == "vi" else "live"
            assert (await viewer.get(f"/{root}/{spelling}?token={token}")).status == 200
            thumbnail = await viewer.get(f"/{root}/{spelling}/token/{token}/thumbnail.jpg")
            assert thumbnail.status == (404 if prefix == "vi" else 200)  # this video has none
        if prefix == "vi":
            assert (await viewer.get(f"/vod/{spelling}/token/{token}/session")).status == 200
            assert (await viewer.get(f"/vod/{spelling}/token/{token}/mp4/source.mp4")).status == 200
            assert (await viewer.get(f"/vod/{spelling}/token/{token}/hls/r1/video/0.m4s")).status == 200
        else:
            inside = f"{air.broadcast_id}/video/0.m4s"
            assert (await viewer.get(f"/live/{spelling}/{inside}?token={token}")).status == 200


TRICKS = [
    "/vod/{unknown}/hls/manifest.m3u8", "/vod/{live}/hls/manifest.m3u8", "/vod/nothing/hls/manifest.m3u8",
    "/live/{video}.m3u8", "/live/liUnknown.m3u8", "/live/.m3u8", "/live/..m3u8", "/live/..%2f{live}.m3u8",
    "/vod/%00/hls/manifest.m3u8", "/vod/{video}/hls/r1/..%2f..%2fsource/0.m4s",
    "/vod/{video}/hls/r1/video/..%2Fsource", "/vod/{video}/hls/r1/video/%2e%2e",
    "/vod/{video}/hls/r1/%2e%2e/%2e%2e", "/vod/{video}/hls/r1/video/0.m4s%00", "/vod/{video}/hls/r1/video/-1.m4s",
    "/vod/{video}/hls/r1/video/99.m4s", "/vod/{video}/hls/r1/video/%D9%A0.m4s",
    "/vod/{video}/hls/r1/video/0.m4s.open", "/vod/{video}/hls/r1/video/init-1.mp4",
    "/vod/{video}/hls/r1/data/0.m4s", "/vod/{video}/hls/r01/video/0.m4s", "/vod/{video}/hls/r0/video/0.m4s",
    "/vod/{video}/hls/r2/video/media.m3u8", "/vod/{video}/mp4/index", "/vod/{video}/mp4/..%2findex",
    "/vod/{video}/source", "/vod/{video}/mp4/../../../sluice.db", "/vod/{video}/hls/manifest.mpd",
    "/vod/{video}/hls/r1/video/../0.m4s", "/live/{live}/{broadcast}/video/journal",
    "/live/{live}/{broadcast}/video/..%2fjournal", "/live/{live}/{broadcast}/video/0.m4s.open",
    "/live/{live}/{broadcast}/data/media.m3u8", "/live/{live}/br..%2f/video/0.m4s",
    "/live/{live}/brUnknown/video/media.m3u8", "/live/{live}/{broadcast}/video/",
    "/live/{live}/{broadcast}/video/99.m4s", "/live/{live}/{broadcast}/video/99.0.m4s",
    "/live/{live}/{broadcast}/video/0.99.m4s", "/live/{live}/{broadcast}/video/init-9.mp4",
    "/live/{live}/{broadcast}/video/1234567890.m4s", "/player/assets/..%2fsecret.txt", "/player/assets/.",
    "/player/assets/%2e%2e%2fsecret.txt", "/player/assets/nothing.js", "/player/assets/../secret.txt",
    "/player/assets/a%00b", "/player/secret.txt", "/player/index.html", "/player/assets/",
]  # fmt: skip


@pytest.mark.parametrize("path", TRICKS)
async def test_what_is_not_there_is_a_problem_that_is_not_kept(cinema: Cinema, viewer: Client, path: str) -> None:
    video, air = await cinema.video(), await cinema.on_air()
    path = path.format(unknown=ids.new("vi"), video=video, live=air.id, broadcast=air.broadcast_id)

    # as it is: a client library would make sense of it first
    response = await viewer.session.get(URL(f"http://{viewer.host}:{viewer.port}{path}", encoded=True))

    assert response.status == 404, await response.text()
    assert response.headers["Cache-Control"] == "no-store"
    assert (await response.json())["status"] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_watching_changes_nothing(cinema: Cinema, viewer: Client, method: str) -> None:
    video = await cinema.video()

    response = await viewer.request(method, f"/vod/{video}/hls/manifest.m3u8")

    await problem(response, 405, "method-not-allowed")


async def test_pages_elsewhere_may_watch(cinema: Cinema, viewer: Client) -> None:
    """A preflight asks for Range; answers are readable, and so are the headers a player needs."""
    video, air = await cinema.video(), await cinema.on_air()
    asked = {"Origin": "https://example.com", "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": "range"}  # fmt: skip

    root = f"/vod/{video}/hls"
    for path in (f"{root}/r1/video/0.m4s", f"{root}/manifest.m3u8", air.manifest, air.path("0.m4s")):
        response = await viewer.options(path, headers=asked)
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert "range" in response.headers["Access-Control-Allow-Headers"].lower()
        response = await viewer.get(path, headers={"Origin": "https://example.com"})
        assert (response.status, response.headers["Access-Control-Allow-Origin"]) == (200, "*")
        assert "Content-Range" in response.headers["Access-Control-Expose-Headers"]
        assert (await viewer.head(path)).status == 200


async def test_a_segment_asks_the_catalogue_nothing(cinema: Cinema, viewer: Client, services: Services) -> None:
    video = await cinema.video(public=False)
    path = f"/vod/{video}/token/{cinema.session(video)}/hls/r1/video/0.m4s"
    await viewer.get(path)
    before = services.assets.misses

    for _ in range(5):
        assert (await viewer.get(path)).status == 200

    assert services.assets.misses == before
