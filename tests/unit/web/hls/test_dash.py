"""DASH over HTTP: manifests, and segments that are given out while they grow."""

import asyncio
from urllib.parse import urljoin
from xml.etree import ElementTree

import pytest
from yarl import URL

from tests.unit.web.cinema import Cinema
from tests.unit.web.kit import Client, problem

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}


def leads_to(manifest: str, text: str) -> list[str]:
    """URLs of the init segments and of the first segments that a manifest at a URL names."""
    root = ElementTree.fromstring(text)
    base = urljoin(manifest, root.findtext("BaseURL", "", NS))
    found = []
    for template in root.iterfind(".//SegmentTemplate", NS):
        found.append(urljoin(base, template.attrib["initialization"]))
        found.append(urljoin(base, template.attrib["media"].replace("$Number$", template.attrib["startNumber"])))
    return found


async def test_a_live_manifest_leads_to_its_media(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    manifest = f"/live/{air.id}.mpd"

    response = await viewer.get(manifest)

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/dash+xml"
    assert response.headers["Cache-Control"] == "no-cache"
    urls = leads_to(manifest, await response.text())
    assert len(urls) == 4
    assert [(await viewer.get(url)).status for url in urls] == [200] * 4


async def test_a_private_one_is_for_token_holders(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(public=False)

    await problem(await viewer.get(f"/live/{air.id}.mpd"), 403, "playback-token-missing")
    path = f"/live/{air.id}/token/{cinema.token(air.id)}/{air.id}.mpd"
    opened = await viewer.get(path, allow_redirects=False)
    assert opened.status == 302
    session = urljoin(str(opened.url), opened.headers["Location"])
    response = await viewer.get(URL(session).path)
    assert response.status == 200
    urls = leads_to(URL(session).path, await response.text())
    assert all("/token/" in url for url in urls)
    assert [(await viewer.get(url)).status for url in urls] == [200] * 4


async def test_what_can_not_be_played_yet_is_202(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(seconds=0)

    assert (await viewer.get(f"/live/{air.id}.mpd")).status == 202
    await problem(await viewer.get("/live/li1111111111111111111112.mpd"), 404, "resource-not-found")


@pytest.mark.parametrize("kind", ["upload", "recording"])
async def test_a_video_s_manifest_leads_to_its_media(cinema: Cinema, viewer: Client, kind: str) -> None:
    id = await (cinema.video() if kind == "upload" else cinema.recording())
    manifest = f"/vod/{id}/dash/manifest.mpd"

    response = await viewer.get(manifest)
    again = await viewer.get(manifest, headers={"If-None-Match": response.headers["ETag"]})

    assert (response.status, again.status) == (200, 304)
    urls = leads_to(manifest, await response.text())
    assert len(urls) >= 2
    assert [(await viewer.get(url)).status for url in urls] == [200] * len(urls)


async def test_a_private_video_redirects_to_a_session(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)

    path = f"/vod/{id}/token/{cinema.token(id)}/dash/manifest.mpd"
    opened = await viewer.get(path, allow_redirects=False)

    assert opened.status == 302
    session = URL(urljoin(str(opened.url), opened.headers["Location"])).path
    assert session.endswith("/dash/manifest.mpd")
    urls = leads_to(session, await (await viewer.get(session)).text())
    assert [(await viewer.get(url)).status for url in urls] == [200] * len(urls)


async def test_an_open_segment_comes_as_it_grows(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(seconds=4.5)
    path = air.path("2.m4s")
    assert air.window().open.msn == 2

    response = await viewer.get(path)
    begun = await response.content.readany()
    assert begun == b"".join(air.window().open.payloads)
    reading = asyncio.ensure_future(response.content.read())
    air.publisher.send(2)
    rest = await asyncio.wait_for(reading, 30)
    air.written()

    whole = await (await viewer.get(path)).read()
    assert begun + rest == whole
    assert len(rest) > 0
    assert "Content-Length" not in response.headers


async def test_a_segment_ends_where_the_publisher_goes(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(seconds=4.5)
    response = await viewer.get(air.path("2.m4s"))
    await response.content.readany()

    air.on_air.stream.interrupt()  # closes the segment: what there is of it is whole

    await asyncio.wait_for(response.content.read(), 30)
    assert (await viewer.get(air.path("3.m4s"))).status == 404
