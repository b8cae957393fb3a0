"""Captions as renditions: listed, in their place on the clock, guarded, and kept as long as they last."""

from urllib.parse import urljoin
from xml.etree import ElementTree

import pytest

from server.catalog import text_tracks, videos
from server.catalog.text_tracks import Kind
from server.vod.texts import Texts
from tests.unit.web.cinema import Cinema, follow, uris
from tests.unit.web.kit import Client, problem

NS = {"": "urn:mpeg:dash:schema:mpd:2011"}
GERMAN = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nWasser & Wein\n"
MAP = "X-TIMESTAMP-MAP=MPEGTS:{},LOCAL:00:00:00.000"


async def caption(cinema: Cinema, id: str, language: str = "de", text: str = GERMAN, kind: Kind = "captions") -> None:
    async with cinema.database.write() as transaction:
        video = await videos.find(transaction, id)
        assert video
        await Texts(cinema.database, cinema.layout).put(transaction, video, kind, language, text)


async def make_default(cinema: Cinema, id: str, language: str) -> None:
    async with cinema.database.write() as transaction:
        video, row = await videos.find(transaction, id), await text_tracks.get(transaction, id, "captions", language)
        assert video
        assert row
        await text_tracks.set_default(transaction, video, row, True)


async def texts_of(viewer: Client, path: str) -> dict[str, tuple[str, str]]:
    """What the subtitle renditions of a manifest are: the path and the text, by the URI that lists them."""
    where, response = await follow(viewer, path)
    found = {}
    for uri in uris(await response.text()):
        if "/text-" in uri:
            playlist = urljoin(where, uri)
            listed = uris(await (await viewer.get(playlist)).text())
            assert listed == ["all.vtt"]
            segment = urljoin(playlist, listed[0])
            found[uri] = (segment, await (await viewer.get(segment)).text())
    return found


async def test_a_video_lists_what_it_has_at_once(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    path = f"/vod/{id}/hls/manifest.m3u8"
    before = await viewer.get(path)
    assert await texts_of(viewer, path) == {}

    await caption(cinema, id)
    await caption(cinema, id, "en", GERMAN.replace("Wasser", "water"))
    await caption(cinema, id, "en", GERMAN, "chapters")
    await make_default(cinema, id, "en")

    after = await viewer.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert [line.split(",")[3:5] for line in (await after.text()).splitlines() if "SUBTITLES,GROUP" in line] == [
        ['LANGUAGE="en"', "DEFAULT=YES"], ['LANGUAGE="de"', "AUTOSELECT=YES"],
    ]  # fmt: skip
    assert await texts_of(viewer, path) == {
        "r1/text-de/1/media.m3u8": (
            f"/vod/{id}/hls/r1/text-de/1/all.vtt", GERMAN.replace("WEBVTT", f"WEBVTT\n{MAP.format(0)}"),
        ),
        "r1/text-en/1/media.m3u8": (
            f"/vod/{id}/hls/r1/text-en/1/all.vtt",
            GERMAN.replace("WEBVTT", f"WEBVTT\n{MAP.format(0)}").replace("Wasser", "water"),
        ),
    }  # fmt: skip


async def test_a_recording_begins_somewhere_on_its_clock(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.recording(11, segments={"first": 2, "last": 4})
    await caption(cinema, id)

    (_, text), = (await texts_of(viewer, f"/vod/{id}/hls/manifest.m3u8")).values()

    assert text.splitlines()[1] == MAP.format(4 * 90_000)


async def test_a_private_videos_captions_are_guarded_as_it_is(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)
    await caption(cinema, id)

    (path, text), = (await texts_of(viewer, f"/vod/{id}/hls/manifest.m3u8?token={cinema.token(id)}")).values()
    assert "/token/" in path
    assert "Wasser" in text
    assert (await viewer.get(path)).headers["Cache-Control"] == "private, max-age=31536000, immutable"
    bare = f"/vod/{id}/hls/r1/text-de/1/"
    for name in ("media.m3u8", "all.vtt", "0.vtt"):
        await problem(await viewer.get(bare + name), 403, "playback-token-missing")


async def test_who_began_with_an_older_text_is_given_the_newest(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await caption(cinema, id)
    await caption(cinema, id, text=GERMAN.replace("Wein", "Brot"))

    for version, cache in ((1, "no-cache"), (2, "public, max-age=31536000, immutable")):
        response = await viewer.get(f"/vod/{id}/hls/r1/text-de/{version}/all.vtt")
        assert response.headers["Cache-Control"] == cache
        assert response.headers["Content-Type"] == "text/vtt; charset=utf-8"
        assert "Brot" in await response.text()


@pytest.mark.parametrize("path", ["text-fr/1/all.vtt", "text-de/1/all.srt", "text-de/1/-1.vtt"])
async def test_what_there_is_not(cinema: Cinema, viewer: Client, path: str) -> None:
    id = await cinema.video()
    await caption(cinema, id)

    await problem(await viewer.get(f"/vod/{id}/hls/r1/{path}"), 404, "resource-not-found")
    await problem(await viewer.get(f"/vod/{id}/hls/r2/text-de/1/all.vtt"), 404, "resource-not-found")


async def test_a_dash_manifest_lists_them_too(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await caption(cinema, id)
    path = f"/vod/{id}/dash/manifest.mpd"

    root = ElementTree.fromstring(await (await viewer.get(path)).text())
    base = urljoin(path, root.findtext("BaseURL", "", NS))
    found = root.find(".//AdaptationSet[@contentType='text']", NS)
    assert found is not None
    assert (found.attrib["lang"], found.findtext("Label", None, NS)) == ("de", "Deutsch")
    text = await viewer.get(urljoin(base, found.findtext("Representation/BaseURL", "", NS)))
    assert await text.text() == GERMAN


async def test_a_stretch_counts_from_its_own_beginning(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    await caption(cinema, id)

    assert "00:00:00.000 --> 00:00:00.500" in await (await viewer.get(f"/vod/{id}/hls/r1/text-de/1/1500.vtt")).text()
    assert await (await viewer.get(f"/vod/{id}/hls/r1/text-de/1/2000.vtt")).text() == "WEBVTT\n"
