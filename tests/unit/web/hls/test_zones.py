"""What a project's zone says of delivery, as caches and players are told it."""

from types import SimpleNamespace
from typing import Any

import pytest

from server.catalog import delivery_zones
from server.catalog.database import Database
from server.catalog.models import DEFAULT_PROJECT, Project
from server.catalog.sharing_models import DeliveryZone
from server.packager.presentation import NoQualityError
from server.playback.zones import Zone
from server.web.hls import gate
from tests.unit.web.cinema import Cinema
from tests.unit.web.kit import Client

YEAR = "public, max-age=31536000, immutable"


async def _zone(database: Database, **fields: Any) -> DeliveryZone:
    row = DeliveryZone(**{"project_id": DEFAULT_PROJECT, "name": "z", "host": "edge.example:8443", **fields})
    async with database.write() as transaction:
        return await delivery_zones.add(transaction, row)


async def _kept(viewer: Client, path: str) -> str:
    async with viewer.get(path) as response:
        assert response.status == 200, await response.text()
        return response.headers["Cache-Control"]


async def test_caches_are_told_its_times(cinema: Cinema, viewer: Client, database: Database) -> None:
    id = await cinema.video()
    paths = [f"/vod/{id}/hls/manifest.m3u8", f"/vod/{id}/dash/manifest.mpd", f"/vod/{id}/hls/r1/video/0.m4s"]
    media = f"/vod/{id}/hls/r1/video/media.m3u8"
    assert [await _kept(viewer, path) for path in paths] == ["no-cache", "no-cache", YEAR]

    row = await _zone(database, playlist_ttl_s=5, segment_ttl_s=60)
    await _zone(database, playlist_ttl_s=7)  # a later one does not count
    assert [await _kept(viewer, path) for path in paths] == ["public, max-age=5"] * 2 + ["public, max-age=60"]
    assert await _kept(viewer, media) == "public, max-age=60"

    async with database.write() as transaction:
        found = await transaction.get_one(DeliveryZone, row.id)
        found.playlist_ttl_s, found.segment_ttl_s = 0, None
        await delivery_zones.tell(transaction, found, "updated")
    assert [await _kept(viewer, path) for path in paths] == ["no-cache", "no-cache", YEAR]


async def test_other_projects_have_others(cinema: Cinema, viewer: Client, database: Database) -> None:
    id = await cinema.video()
    async with database.write() as transaction:
        transaction.add(Project(id="pr2", name="another"))
    await _zone(database, project_id="pr2", playlist_ttl_s=5)
    assert await _kept(viewer, f"/vod/{id}/hls/manifest.m3u8") == "no-cache"


async def test_live_segments_too(cinema: Cinema, viewer: Client, database: Database) -> None:
    air = await cinema.on_air()
    await _zone(database, segment_ttl_s=60)
    async with viewer.get(air.manifest) as response:
        assert response.headers["Cache-Control"] == "no-cache"
    assert await _kept(viewer, air.path("0.m4s")) == "public, max-age=60"


@pytest.mark.parametrize(
    ("there", "zone", "token", "offered"),
    [
        ((360, 1080), None, None, 1080),
        ((360, 1080), 720, None, 360),
        ((360, 1080), 720, 480, 360),
        ((360, 1080), 2160, 480, 360),
        ((1080,), 720, None, 1080),  # nothing is as low: what there is is shown
        ((1080,), 720, 480, None),
    ],
)
def test_players_are_offered_so_much(
    there: tuple[int, ...], zone: int | None, token: int | None, offered: int | None
) -> None:
    def describe(most: int | None) -> int:
        found = [lines for lines in there if most is None or lines <= most]
        if not found:
            raise NoQualityError(most)
        return max(found)

    watch: Any = SimpleNamespace(zone=Zone(lines=zone), most=token)
    if offered is None:
        with pytest.raises(NoQualityError):
            gate.offered(watch, describe)
    else:
        assert gate.offered(watch, describe) == offered


async def test_urls_lead_to_its_host(client: Client, cinema: Cinema, database: Database) -> None:
    id = await cinema.video()
    await _zone(database)
    async with client.get(f"/videos/{id}") as response:
        assets = (await response.json())["assets"]
    assert all(assets[name].startswith("http://edge.example:8443/") for name in ("hls", "thumbnail", "mp4", "player"))
    async with client.get(f"/v1/videos/{id}") as response:
        assert (await response.json())["data"]["hls_link"].startswith("http://edge.example:8443/")
    async with client.post("/live-streams", json={"name": "x"}) as response:
        live = await response.json()
    assert live["assets"]["hls"].startswith("http://edge.example:8443/")
    assert "edge.example" not in live["rtmp"]
