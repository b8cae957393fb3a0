"""Videos as viewers get them: uploads cut by their index, recordings as their files lie, and what is there when."""

import m3u8
import pytest

from server.formats.fmp4.read import read_samples
from tests.unit.web.cinema import UPLOAD, Cinema, follow, uris
from tests.unit.web.kit import Client, problem


def manifest(id: str) -> str:
    return f"/vod/{id}/hls/manifest.m3u8"


def media(id: str, file: str = "media.m3u8", rendition: str = "video", revision: int = 1) -> str:
    return f"/vod/{id}/hls/r{revision}/{rendition}/{file}"


# --- the manifest


@pytest.mark.parametrize("state", ["pending", "uploading", "pre-processing", "processing"])
async def test_what_is_not_ready_is_asked_again(cinema: Cinema, viewer: Client, state: str) -> None:
    id = await cinema.make_video(state=state)

    response = await viewer.get(manifest(id))

    assert (response.status, await response.read()) == (202, b"")
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Cache-Control"] == "no-store"
    await problem(await viewer.get(media(id)), 404, "resource-not-found")


@pytest.mark.parametrize("state", ["error", "aborted"])
async def test_what_never_will_be_is_not_found(cinema: Cinema, viewer: Client, state: str) -> None:
    id = await cinema.make_video(state=state)

    response = await viewer.get(manifest(id))

    assert response.headers["Cache-Control"] == "no-store"
    await problem(response, 404, "resource-not-found")


async def test_it_is_watched_while_it_is_processed(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(state="processing", duration_s=None)

    assert (await viewer.get(manifest(id))).status == 200


async def test_a_manifest_is_asked_for_again_but_not_sent_again(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()

    first = await viewer.get(manifest(id))
    again = await viewer.get(manifest(id), headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Cache-Control"] == "no-cache"
    assert first.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    assert uris(await first.text()) == ["r1/audio/media.m3u8", "r1/video/media.m3u8"]
    assert again.status == 304


async def test_a_new_revision_has_new_urls_and_the_old_ones_are_gone(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    first = await viewer.get(manifest(id))
    assert (await viewer.get(media(id, "0.m4s"))).status == 200

    await cinema.change(id, revision=2)

    again = await viewer.get(manifest(id), headers={"If-None-Match": first.headers["ETag"]})
    assert again.status == 200
    assert uris(await again.text()) == ["r2/audio/media.m3u8", "r2/video/media.m3u8"]
    assert (await viewer.get(media(id, "0.m4s", revision=2))).status == 200
    for name in ("media.m3u8", "init.mp4", "0.m4s"):
        response = await viewer.get(media(id, name))
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 404, "resource-not-found")


# --- uploads


async def test_every_sample_of_an_upload_comes(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    playlist = m3u8.loads(await (await viewer.get(media(id))).text())
    assert playlist.is_endlist

    sent = []
    for segment in playlist.segments:
        response = await viewer.get(media(id, segment.uri))
        assert response.headers["Content-Type"] == "video/mp4"
        sent += [bytes(sample.data) for sample in read_samples(await response.read())]

    assert len(sent) == 300
    assert all(sample in UPLOAD for sample in sent)


async def test_who_watches_a_clip_goes_on_when_its_edges_are_made(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.recording(11, segments={"first": 1, "last": 3, "head_ms": 500, "tail_ms": 0})
    before = await (await viewer.get(media(id, "1.m4s"))).read()
    edges = cinema.layout.clip_edges(id, "video")
    edges.path.mkdir(parents=True)
    edges.segment(1).write_bytes(b"made anew")
    edges.journal.touch()

    await cinema.change(id, revision=2, segments={"first": 1, "last": 3, "head_ms": 500, "tail_ms": 0, "exact": 2})

    assert await (await viewer.get(media(id, "1.m4s"))).read() == before
    assert await (await viewer.get(media(id, "1.m4s", revision=2))).read() == b"made anew"
    assert (await viewer.get(media(id, revision=1))).status == 200
    assert (await viewer.get(media(id, "0.m4s", revision=2))).status == 404
    await cinema.change(id, revision=3)
    assert (await viewer.get(media(id, "1.m4s", revision=2))).status == 404


@pytest.mark.parametrize("rendition", ["video", "audio"])
@pytest.mark.parametrize("name", ["media.m3u8", "init.mp4", "1.m4s"])
async def test_what_a_revision_names_never_changes(cinema: Cinema, viewer: Client, name: str, rendition: str) -> None:
    id = await cinema.video()

    first = await viewer.get(media(id, name, rendition))
    again = await viewer.get(media(id, name, rendition), headers={"If-None-Match": first.headers["ETag"]})
    ranged = await viewer.get(media(id, name, rendition), headers={"Range": "bytes=4-7"})
    head = await viewer.head(media(id, name, rendition))

    assert first.status == 200
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (again.status, again.headers["Cache-Control"]) == (304, first.headers["Cache-Control"])
    assert (ranged.status, await ranged.read()) == (206, (await first.read())[4:8])
    assert (head.status, head.headers["Content-Length"]) == (200, first.headers["Content-Length"])


async def test_a_private_videos_bytes_are_kept_by_the_viewer_only(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)

    response = await viewer.get(media(id, "0.m4s") + f"?token={cinema.token(id)}")

    assert response.headers["Cache-Control"] == "private, max-age=31536000, immutable"


@pytest.mark.parametrize("fault", ["no source", "short source"])
async def test_a_source_that_is_damaged_is_not_there(cinema: Cinema, viewer: Client, fault: str) -> None:
    id = await cinema.video()
    assert (await viewer.get(manifest(id))).status == 200  # and is in memory
    source = cinema.layout.video_source(id)
    if fault == "no source":
        source.unlink()
    else:
        source.write_bytes(UPLOAD[:2000])

    response = await viewer.get(media(id, "1.m4s"))

    assert response.headers["Cache-Control"] == "no-store"
    assert (await problem(response, 404, "resource-not-found"))["detail"] == "The video's files are not there."


@pytest.mark.parametrize("fault", ["no index", "damaged index", "no folder"])
async def test_an_index_that_is_damaged_is_not_there(cinema: Cinema, viewer: Client, fault: str) -> None:
    id = await cinema.video()
    index = cinema.layout.video_index(id)
    index.unlink()
    if fault == "damaged index":
        index.write_bytes(b"damaged")
    elif fault == "no folder":
        cinema.layout.video_source(id).unlink()
        cinema.layout.video(id).rmdir()

    for path in (manifest(id), media(id), media(id, "0.m4s")):
        await problem(await viewer.get(path), 404, "resource-not-found")


async def test_a_deleted_video_is_gone_although_it_was_in_memory(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video()
    assert (await viewer.get(media(id, "0.m4s"))).status == 200

    await cinema.delete(id)

    for path in (manifest(id), media(id), media(id, "0.m4s"), f"/vod/{id}/thumbnail.jpg", f"/vod/{id}/mp4/source.mp4"):
        response = await viewer.get(path)
        assert response.headers["Cache-Control"] == "no-store"
        await problem(response, 404, "resource-not-found")


# --- recordings


async def test_a_recording_is_its_live_segments(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.recording(7)
    broadcast_id = next(iter(cinema.layout.broadcast_ids()))

    for rendition in ("video", "audio"):
        playlist = await (await viewer.get(media(id, rendition=rendition))).text()
        folder = cinema.layout.rendition(broadcast_id, rendition)
        for name in uris(playlist):
            response = await viewer.get(media(id, name, rendition))
            path = folder.init(0) if name == "init.mp4" else folder.path / name
            assert (response.status, await response.read()) == (200, path.read_bytes())
            assert response.headers["Content-Type"] == f"{rendition}/mp4"
            assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            again = await viewer.get(media(id, name, rendition), headers={"If-None-Match": response.headers["ETag"]})
            assert again.status == 304


async def test_a_recorded_segment_that_vanished_is_not_there(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.recording()
    assert (await viewer.get(media(id, "0.m4s"))).status == 200
    for broadcast_id in cinema.layout.broadcast_ids():
        cinema.layout.rendition(broadcast_id, "video").segment(0).unlink()

    response = await viewer.get(media(id, "0.m4s"))

    assert response.headers["Cache-Control"] == "no-store"
    await problem(response, 404, "resource-not-found")


async def test_a_recording_without_files_is_not_there(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.make_video(state="done", playable=True, source="live", broadcast_id="brNothing")

    await problem(await viewer.get(manifest(id)), 404, "resource-not-found")


# --- sessions


async def test_a_token_is_exchanged_for_a_session(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False, duration_s=9 * 3600.0)

    response = await viewer.get(f"/vod/{id}/token/{cinema.token(id)}/session")

    assert response.headers["Cache-Control"] == "no-store"
    session = (await response.json())["session_token"]
    grant = cinema.tokens.verify(session, id)
    assert grant.session
    assert grant.expires_at - grant.issued_at == pytest.approx(18 * 3600, abs=2)  # twice as long as the video
    assert (await follow(viewer, manifest(id) + f"?avh={session}"))[1].status == 200


async def test_a_session_makes_no_longer_one_of_itself(cinema: Cinema, viewer: Client) -> None:
    id = await cinema.video(public=False)
    session = cinema.session(id)

    response = await viewer.get(f"/vod/{id}/token/{session}/session")

    assert (await response.json())["session_token"] == session
