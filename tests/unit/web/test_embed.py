"""The player's page: what it is told, what it may load, and that nothing of ours can break out of it."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server import ids
from server.catalog import players
from server.catalog.control_models import Player
from server.catalog.models import DEFAULT_PROJECT, LiveStream, Project
from server.web import embed
from tests.unit.web.cinema import Cinema
from tests.unit.web.kit import Client, problem


async def told(viewer: Client, path: str, status: int = 200) -> dict[str, Any]:
    """What the page is told."""
    response = await viewer.get(path)
    assert response.status == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    found = re.fullmatch(r'<!doctype html><script type="application/json" id="sluice-config">(.*)</script>',
                         await response.text(), re.S)  # fmt: skip
    assert found
    told: dict[str, Any] = json.loads(found[1])
    return told


async def test_a_video(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(title="A film")

    for path in (f"/embed/{id}", f"/vod/{id}"):
        assert await told(viewer, path) == {
            "id": id, "kind": "vod", "title": "A film", "manifest": f"/vod/{id}/hls/manifest.m3u8",
            "poster": f"/vod/{id}/thumbnail.jpg", "live": False, "latencyMode": None, "targetLatency": None,
            "storyboard": f"/vod/{id}/storyboard.vtt?v=1", "chapters": [], "annotations": None, "public": True,
        }  # fmt: skip


@pytest.mark.parametrize(("mode", "target"), [("ultra-low", 0.6), ("low", 1.0), ("reduced", None), ("standard", None)])
async def test_a_live_stream(cinema: Cinema, viewer: Client, mode: str, target: float | None) -> None:
    id = await cinema.make_live(name="News", latency_mode=mode)

    for path in (f"/embed/{id}", f"/live/{id}"):
        assert await told(viewer, path) == {
            "id": id, "kind": "live", "title": "News", "manifest": f"/live/{id}.m3u8",
            "poster": f"/live/{id}/thumbnail.jpg", "live": True, "latencyMode": mode, "targetLatency": target,
            "storyboard": None, "chapters": [], "annotations": None, "public": True,
        }  # fmt: skip


async def test_a_private_assets_urls_carry_the_token(cinema: Cinema, viewer: Client) -> None:
    video, live = await cinema.video(public=False), await cinema.make_live(public=False)

    for id, manifest in ((video, "hls/manifest.m3u8"), (live, f"{live}.m3u8")):
        token = cinema.token(id)
        configuration = await told(viewer, f"/embed/{id}?token={token}")
        root = f"/{'vod' if id == video else 'live'}/{id}/token/{token}"
        assert (configuration["manifest"], configuration["poster"]) == (f"{root}/{manifest}", f"{root}/thumbnail.jpg")
        assert (await viewer.get(configuration["manifest"])).status in (200, 202)


async def test_what_can_not_be_played_is_said_on_the_page(cinema: Cinema, viewer: Client) -> None:
    video = await cinema.video(public=False)
    foreign, old = cinema.token(ids.new("vi")), cinema.token(video, ttl_s=-60)
    cases = {
        f"/embed/{ids.new('vi')}": (404, "resource-not-found"),
        "/embed/nothing": (404, "resource-not-found"),
        f"/live/{video}": (404, "resource-not-found"),
        f"/vod/{video}": (403, "playback-token-missing"),
        f"/embed/{video}?token=rubbish": (403, "playback-token-invalid"),
        f"/embed/{video}?token={foreign}": (403, "playback-token-invalid"),
        f"/embed/{video}?token={old}": (403, "playback-token-expired"),
        f"/embed/{video}?token={cinema.token(video, audience='thumbnail')}": (403, "playback-token-invalid"),
    }
    for path, (status, code) in cases.items():
        configuration = await told(viewer, path, status)
        assert set(configuration) == {"problem"}
        assert configuration["problem"]["code"] == code
        assert configuration["problem"]["title"].endswith(".")


@pytest.mark.parametrize(
    "title",
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "a \u2028 b \u2029 c",
        '"\\ \' & \0 \x1f',
        "__SLUICE_CONFIG__",
        "Ünïcode \U0001f3ac",
        "\\u003c/script>",
    ],
)
async def test_a_title_stays_a_title(cinema: Cinema, viewer: Client, title: str) -> None:
    id = await cinema.video(title=title)

    assert (await told(viewer, f"/embed/{id}"))["title"] == title
    text = await (await viewer.get(f"/embed/{id}")).text()
    assert text.count("<script") == text.count("</script") == 1
    assert "\u2028" not in text
    assert "\u2029" not in text


async def test_the_page_may_load_what_is_ours_and_tells_nobody_where_it_was(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    for path in (f"/embed/{id}", "/embed/nothing"):
        headers = (await viewer.get(path)).headers
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "X-Frame-Options" not in headers
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["connect-src"] == "'self'"
        assert policy["base-uri"] == policy["form-action"] == "'none'"
        assert "frame-ancestors" not in policy  # other pages may show it
        assert not re.search(r"unsafe-inline|unsafe-eval|\*|https?:", headers["Content-Security-Policy"])


async def test_head_is_answered(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    response = await viewer.head(f"/embed/{id}")

    assert (response.status, await response.read()) == (200, b"")


async def test_a_bare_id_is_a_videos_before_a_live_streams(cinema: Cinema, viewer: Client) -> None:
    id = ids.encode(ids.to_uuid("vi", await cinema.video()))
    await cinema.make_live(id=f"li{id}")

    assert (await told(viewer, f"/embed/{id}"))["kind"] == "vod"
    assert (await told(viewer, f"/live/{id}"))["kind"] == "live"


async def test_the_players_files_are_kept_for_ever(viewer: Client) -> None:
    response = await viewer.get("/player/assets/main-3f2a.js")

    assert (response.status, await response.text()) == (200, "export {}")
    assert "javascript" in response.headers["Content-Type"]
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    absent = await viewer.get("/player/assets/main-0000.js")
    assert absent.headers["Cache-Control"] == "no-store"
    await problem(absent, 404, "resource-not-found")


async def test_a_player_that_is_not_built_is_said(cinema: Cinema, viewer: Client, player: Path) -> None:
    id = await cinema.video()
    (player / "index.html").unlink()
    embed._template.cache_clear()

    response = await viewer.get(f"/embed/{id}")

    assert (await problem(response, 503, "unavailable"))["detail"] == "The player is not built: run `make player`."


async def test_a_players_looks(cinema: Cinema, viewer: Client) -> None:
    async with cinema.database.write() as transaction:
        player = await players.add(transaction, Player(project_id=DEFAULT_PROJECT, theme={"text": "red"}))
    id, live = await cinema.video(player_id=player.id), await cinema.make_live(player_id=player.id)

    for path in (f"/embed/{id}", f"/live/{live}"):
        assert (await told(viewer, path))["theme"] == {"text": "red", "logo": None}

    async with cinema.database.write() as transaction:
        row = await players.find(transaction, player.id)
        assert row
        await players.set_logo(transaction, row, datetime(2026, 1, 1, tzinfo=UTC), "https://example.com")
    assert (await told(viewer, f"/embed/{id}"))["theme"]["logo"] == {
        "src": f"/player/{player.id}/logo.png?v=1767225600", "link": "https://example.com"
    }  # fmt: skip


async def test_nobody_elses_looks(cinema: Cinema, viewer: Client) -> None:
    async with cinema.database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
        await transaction.flush()
        theirs = await players.add(transaction, Player(project_id="pr2"))
    for player_id in (theirs.id, ids.new("pl"), "a name"):
        assert "theme" not in await told(viewer, f"/embed/{await cinema.video(player_id=player_id)}")


async def test_the_page_of_a_sandbox_bears_the_mark(cinema: Cinema, viewer: Client) -> None:
    live, plain = await cinema.make_live(), await cinema.make_live()
    async with cinema.database.write() as transaction:
        project = Project(name="Try", sandbox=True)
        transaction.add(project)
        await transaction.flush()
        stream = await transaction.get(LiveStream, live)
        assert stream
        stream.project_id = project.id

    assert (await told(viewer, f"/embed/{live}"))["theme"] == {"logo": {"src": embed.MARK, "link": None}}
    assert "theme" not in await told(viewer, f"/embed/{plain}")
    response = await viewer.get(embed.MARK)
    assert (response.status, response.headers["Content-Type"]) == (200, "image/png")
    assert (await response.read()).startswith(b"\x89PNG")
