"""Live streams as viewers get them: when there is something, who waits for what, where bytes come from."""

import asyncio
import gzip
import re
from collections.abc import Callable

import pytest

from server import clock
from server.catalog import live_streams
from server.packager import playlist
from server.packager.rendition import InMemory, OnDisk
from server.web.hls import live
from tests.unit.web.cinema import Air, Cinema, uris
from tests.unit.web.kit import Client, problem


async def waiting(air: Air, number: int = 1, rendition: str = "video") -> None:
    """Until so many requests wait for a part."""
    async with asyncio.timeout(30):
        while air.window(rendition).waiters < number:
            await asyncio.sleep(0.001)


def hint(text: str) -> tuple[int, int]:
    found = re.search(r'PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', text)
    assert found
    return int(found[1]), int(found[2])


# --- the manifest


@pytest.mark.parametrize("state", ["idle", "disabled", "broadcasting"])
async def test_while_nothing_is_on_air_it_is_asked_again(cinema: Cinema, viewer: Client, state: str) -> None:
    id = await cinema.make_live(state=state)

    response = await viewer.get(f"/live/{id}.m3u8")

    assert (response.status, await response.read()) == (202, b"")
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Cache-Control"] == "no-store"


async def test_it_is_ready_with_three_parts(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(0.1)
    assert (await viewer.get(air.manifest)).status == 202

    air.publisher.send(1.4)
    response = await viewer.get(air.manifest)

    assert response.status == 200
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert response.headers["Cache-Control"] == "no-cache"
    assert uris(await response.text()) == [
        f"{air.id}/{air.broadcast_id}/{rendition}/media.m3u8" for rendition in ("audio", "video")
    ]


async def test_a_broadcast_that_has_ended_still_shows_until_it_is_forgotten(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    air.end()

    assert (await viewer.get(air.manifest)).status == 200
    response = await viewer.get(air.path())
    assert "#EXT-X-ENDLIST" in await response.text()
    del cinema.broadcasts.shown[air.id]
    assert (await viewer.get(air.manifest)).status == 202
    await problem(await viewer.get(air.path()), 404, "resource-not-found")


async def test_what_an_older_broadcast_led_to_is_gone(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    old = air.path("0.m4s")
    newer = await cinema.on_air()
    cinema.broadcasts.shown[air.id] = newer.on_air

    response = await viewer.get(old)

    assert response.headers["Cache-Control"] == "no-store"
    assert (await problem(response, 404, "resource-not-found"))["detail"] == "The broadcast has ended."


# --- playlists


async def test_a_playlist_that_nobody_waited_for_is_soon_stale(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()

    response = await viewer.get(air.path())

    assert response.headers["Cache-Control"] == "public, max-age=1"
    assert response.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert "Accept-Encoding" in response.headers["Vary"]


async def test_a_private_playlist_is_kept_by_its_viewer_only(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(public=False)
    query = f"?token={cinema.token(air.id)}"

    assert (await viewer.get(air.path() + query)).headers["Cache-Control"] == "private, max-age=1"
    segment = await viewer.get(air.path("0.m4s") + query)
    assert segment.headers["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accepts", "zipped"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=1.0", True), ("gzip;q=0", False), ("br, gzip; q=0.000", False),
     ("identity", False), ("x-gzipped", False), ("", False)],
)  # fmt: skip
async def test_it_is_packed_for_those_who_say_so(cinema: Cinema, viewer: Client, accepts: str, zipped: bool) -> None:
    air = await cinema.on_air()

    async with viewer.get(air.path(), headers={"Accept-Encoding": accepts}, auto_decompress=False) as response:
        body = await response.read()

    assert (response.headers.get("Content-Encoding") == "gzip") is zipped
    assert (gzip.decompress(body) if zipped else body).startswith(b"#EXTM3U")


async def test_a_delta_leaves_out_what_is_old(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(60)

    for skip in ("YES", "v2"):
        assert "#EXT-X-SKIP" in await (await viewer.get(air.path() + f"?_HLS_skip={skip}")).text()
    assert "#EXT-X-SKIP" not in await (await viewer.get(air.path() + "?_HLS_skip=no")).text()


@pytest.mark.parametrize("query", ["_HLS_part=1", "_HLS_msn=-1", "_HLS_msn=x", "_HLS_msn=99", "_HLS_msn=2&_HLS_part=x",
                                   "_HLS_msn=2&_HLS_part=99", "_HLS_msn=\u0662", "_HLS_msn=1e9", "_HLS_msn=12345678901",
                                   "_HLS_msn="])  # fmt: skip
async def test_what_can_not_be_waited_for_is_refused(cinema: Cinema, viewer: Client, query: str) -> None:
    air = await cinema.on_air()

    response = await viewer.get(f"{air.path()}?{query}")

    assert response.status == 400
    assert (await response.json())["type"].endswith("request-invalid-query-parameter")


async def test_a_request_waits_for_its_part(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())

    asking = asyncio.ensure_future(viewer.get(f"{air.path()}?_HLS_msn={msn}&_HLS_part={part}"))
    await waiting(air)
    air.publisher.send(0.2)
    assert not asking.done()
    air.publisher.send(0.8)
    response = await asking

    assert f'URI="{msn}.{part}.m4s"' in (await response.text()).replace("PRELOAD-HINT", "")
    assert response.headers["Cache-Control"] == "public, max-age=24"
    assert air.window().waiters == 0


async def test_a_request_for_a_part_that_is_there_does_not_wait(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()

    assert (await viewer.get(air.path() + "?_HLS_msn=1&_HLS_part=1")).status == 200
    assert (await viewer.get(air.path() + "?_HLS_msn=0")).status == 200


async def test_a_thousand_who_wait_get_one_rendering(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())
    renders = air.on_air.packager.renditions["video"].playlist.renders

    asking = [asyncio.ensure_future(viewer.get(f"{air.path()}?_HLS_msn={msn}&_HLS_part={part}")) for _ in range(50)]
    await waiting(air, 50)
    air.publisher.send(0.4)
    answers = await asyncio.gather(*asking)

    assert {answer.status for answer in answers} == {200}
    assert air.on_air.packager.renditions["video"].playlist.renders - renders <= 2


async def test_nothing_new_in_time_is_told(
    cinema: Cinema, viewer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playlist, "BLOCKED", 0.01)
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())

    for path in (f"{air.path()}?_HLS_msn={msn}&_HLS_part={part}", air.path(f"{msn}.{part}.m4s")):
        response = await viewer.get(path)
        assert response.headers["Retry-After"] == "1"
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 503, "unavailable")
    assert air.window().waiters == 0


async def test_who_waits_is_answered_when_the_broadcast_ends(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())

    asking = [asyncio.ensure_future(viewer.get(f"{air.path()}?_HLS_msn={msn + 1}&_HLS_part={part}")) for _ in range(5)]
    await waiting(air, 5)
    air.end()

    for response in await asyncio.gather(*asking):
        assert "#EXT-X-ENDLIST" in await response.text()


async def test_who_waits_is_let_go_when_the_server_stops(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())
    asking = [asyncio.ensure_future(viewer.get(f"{air.path()}?_HLS_msn={msn}&_HLS_part={part}")) for _ in range(20)]
    await waiting(air, 20)

    await live.let_go(viewer.app)

    for response in await asyncio.gather(*asking):
        assert response.headers["Retry-After"] == "1"
        await problem(response, 503, "unavailable")
    assert (await viewer.get(air.path())).status == 200


async def test_a_viewer_who_leaves_is_not_waited_for_after_his_part(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())
    asking = asyncio.ensure_future(viewer.get(f"{air.path()}?_HLS_msn={msn}&_HLS_part={part}"))
    await waiting(air)

    asking.cancel()
    air.publisher.send(1)

    assert air.window().waiters == 0


# --- bytes


async def test_parts_make_segments(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(7)
    for rendition in ("video", "audio"):
        text = await (await viewer.get(air.path(rendition=rendition))).text()
        msn = air.window(rendition).next_msn - 1
        parts = [uri for uri in uris(text) if re.fullmatch(rf"{msn}\.\d+\.m4s", uri)]
        assert parts
        joined = b"".join([await (await viewer.get(air.path(uri, rendition))).read() for uri in parts])
        response = await viewer.get(air.path(f"{msn}.m4s", rendition))

        assert await response.read() == joined
        assert response.headers["Content-Type"] == f"{rendition}/mp4"
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"


async def test_a_part_that_is_hinted_at_is_waited_for(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())

    asking = asyncio.ensure_future(viewer.get(air.path(f"{msn}.{part}.m4s")))
    await waiting(air)
    air.publisher.send(1)
    response = await asking

    assert response.status == 200
    assert await response.read() == await (await viewer.get(air.path(f"{msn}.{part}.m4s"))).read()


async def test_a_hinted_part_that_is_cut_short_is_what_there_is_of_it(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())
    asking = asyncio.ensure_future(viewer.get(air.path(f"{msn}.{part}.m4s")))
    await waiting(air)

    air.on_air.stream.interrupt()

    assert (await asking).status == 200
    assert (await viewer.get(air.path(f"{msn}.{part + 1}.m4s"))).status == 404


async def test_a_hint_that_does_not_come_true_is_a_404(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    air.on_air.stream.interrupt()
    msn, part = hint(await (await viewer.get(air.path())).text())
    assert part == 0
    asking = asyncio.ensure_future(viewer.get(air.path(f"{msn}.{part}.m4s")))
    await waiting(air)

    air.end()

    await problem(await asking, 404, "resource-not-found")


async def test_no_other_part_is_waited_for(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    msn, part = hint(await (await viewer.get(air.path())).text())

    for name in (f"{msn}.{part + 1}.m4s", f"{msn + 1}.0.m4s", f"{msn + 1}.m4s"):
        await problem(await viewer.get(air.path(name)), 404, "resource-not-found")


async def test_old_segments_and_parts_come_from_the_disk(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(20)
    rendition = air.on_air.packager.renditions["video"]
    msn = air.window().next_msn - 1  # older ones may have been written meanwhile
    assert isinstance(rendition.segment(msn), InMemory)
    names = (f"{msn}.m4s", f"{msn}.0.m4s")
    from_memory = [await (await viewer.get(air.path(name))).read() for name in names]
    for _ in range(2):
        air.written()
        air.publisher.send(4)
    assert isinstance(rendition.segment(msn), OnDisk)
    part = rendition.part(msn, 0)
    assert isinstance(part, OnDisk)
    assert part.size

    for name, body in zip(names, from_memory, strict=True):
        response = await viewer.get(air.path(name))
        assert (response.status, await response.read()) == (200, body)
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        ranged = await viewer.get(air.path(name), headers={"Range": "bytes=8-15"})
        assert (ranged.status, await ranged.read()) == (206, body[8:16])


async def test_a_segment_that_the_disk_lost_is_gone(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air(20)
    air.written()
    air.publisher.send(4)
    for msn in (0, 4):
        cinema.layout.rendition(air.broadcast_id, "video").segment(msn).unlink()

    for name in ("0.m4s", "4.0.m4s"):
        response = await viewer.get(air.path(name))
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 404, "resource-not-found")


async def test_a_segment_that_left_the_window_may_still_be_got(cinema: Cinema, viewer: Client) -> None:
    """Players that read the playlist a while ago are owed it (RFC 8216bis 6.2.2)."""
    air = await cinema.on_air(40, window_s=12)
    air.written()
    assert air.window().first_msn > 0

    assert (await viewer.get(air.path("0.m4s"))).status == 200


@pytest.mark.parametrize("name", ["0.m4s", "1.0.m4s", "init-0.mp4"])
async def test_what_never_changes_is_not_sent_twice(cinema: Cinema, viewer: Client, name: str) -> None:
    air = await cinema.on_air()
    first = await viewer.get(air.path(name))

    again = await viewer.get(air.path(name), headers={"If-None-Match": first.headers["ETag"]})
    ranged = await viewer.get(air.path(name), headers={"Range": "bytes=4-7"})
    head = await viewer.head(air.path(name))

    assert (again.status, again.headers["Cache-Control"]) == (304, first.headers["Cache-Control"])
    assert (ranged.status, await ranged.read()) == (206, (await first.read())[4:8])
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(await first.read())))


async def test_renditions_have_different_tags(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()

    tags = {(await viewer.get(air.path("0.m4s", rendition))).headers["ETag"] for rendition in ("video", "audio")}

    assert len(tags) == 2


async def test_an_init_segment_of_each_generation(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    air.on_air.stream.interrupt()
    air.publisher.connect().send(3)

    for generation in (0, 1):
        response = await viewer.get(air.path(f"init-{generation}.mp4"))
        assert (await response.read())[4:8] == b"ftyp"
    await problem(await viewer.get(air.path("init-2.mp4")), 404, "resource-not-found")


@pytest.mark.parametrize("find", [lambda air: air.manifest, lambda air: air.path(), lambda air: air.path("0.m4s")])
async def test_a_stream_that_is_gone_is_unknown(
    cinema: Cinema, viewer: Client, find: Callable[[Air], str]
) -> None:
    air = await cinema.on_air()
    assert (await viewer.get(find(air))).status == 200

    async with cinema.database.write() as transaction:
        row = await live_streams.find(transaction, air.id)
        assert row
        await live_streams.remove(transaction, row)

    await problem(await viewer.get(find(air)), 404, "resource-not-found")


async def test_players_are_counted_by_their_playlists(cinema: Cinema, viewer: Client) -> None:
    air = await cinema.on_air()
    for agent in ("one", "another", "one"):
        for file in ("media.m3u8", "0.m4s"):
            async with viewer.get(air.path(file), headers={"User-Agent": agent}) as response:
                assert response.status == 200

    assert air.on_air.health.pollers.count(clock.monotonic()) == 2
