"""A publisher over RTMP, viewers over HLS: the main road, with real ffmpeg on both ends."""

import re
import time

import pytest

from tests.harness import media
from tests.harness.publisher import publishing
from tests.harness.server import Server, until

pytestmark = pytest.mark.server


def media_playlists(server: Server, master_path: str) -> dict[str, str]:
    """Path of each media playlist of a ready master by rendition."""
    answer = server.get(master_path)
    assert answer.status == 200, answer.body
    base = master_path.rsplit("/", 1)[0]
    paths = re.findall(r'^(?!#)(\S+)$|URI="([^"]+)"', answer.text, re.M)
    return {path.split("/")[-2]: f"{base}/{path}" for pair in paths for path in pair if path}


def ready(server: Server, live: dict[str, str]) -> dict[str, str]:
    """Waits until the live manifest is there; its media playlists."""
    path = f"/live/{live['liveStreamId']}.m3u8"
    until(lambda: server.get(path).status == 200)
    return media_playlists(server, path)


def test_a_stream_that_has_not_begun_answers_202(server: Server) -> None:
    live = server.live_stream()

    answer = server.get(f"/live/{live['liveStreamId']}.m3u8")

    assert (answer.status, answer.body) == (202, b"")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_published_stream_plays_in_a_plain_client_with_every_frame(server: Server) -> None:
    source = media.clip(8, b_frames=2)
    live = server.live_stream()
    with publishing(source, server.ingest_url(live), loop=False) as publisher:
        ready(server, live)
        assert server.api("GET", f"/live-streams/{live['liveStreamId']}")["broadcasting"] is True
        assert publisher.wait(30)[0] == 0

    until(lambda: "#EXT-X-ENDLIST" in server.get(ready(server, live)["video"]).text)
    url = f"{server.http}/live/{live['liveStreamId']}.m3u8"
    assert media.frame_hashes(url) == media.frame_hashes(source)
    assert media.same_sound(media.frame_hashes(url, "a"), media.frame_hashes(source, "a"))


def test_the_playlist_is_low_latency(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)):
        playlists = ready(server, live)
        assert set(playlists) == {"video", "audio"}
        text = server.get(playlists["video"]).text

    for tag in (
        "CAN-BLOCK-RELOAD=YES",
        "#EXT-X-PART-INF:PART-TARGET=",
        "#EXT-X-PRELOAD-HINT:TYPE=PART",
        "#EXT-X-PROGRAM-DATE-TIME:",
        "#EXT-X-RENDITION-REPORT:",
        "#EXT-X-MAP:URI=",
        "#EXT-X-TARGETDURATION:4",
    ):
        assert tag in text, text
    target = float(re.search(r"PART-TARGET=([\d.]+)", text)[1])  # type: ignore[index]
    for line in re.findall(r"#EXT-X-PART:(.+)", text):
        duration = float(re.search(r"DURATION=([\d.]+)", line)[1])  # type: ignore[index]
        assert duration <= target + 1e-6


def test_a_blocking_reload_is_held_until_the_part_exists(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)):
        path = ready(server, live)["video"]
        text = server.get(path).text
        hint = re.search(r'PRELOAD-HINT:TYPE=PART,URI="(\d+)\.(\d+)\.m4s"', text)
        assert hint, text
        msn, part = int(hint[1]), int(hint[2])

        began = time.monotonic()
        answer = server.get(f"{path}?_HLS_msn={msn}&_HLS_part={part + 1}")
        waited = time.monotonic() - began

        assert answer.status == 200
        assert re.search(rf'URI="{msn}\.{part + 1}\.m4s"', answer.text) or f"{msn + 1}.0.m4s" in answer.text
        assert waited < 3
        assert server.get(f"{path}?_HLS_part=1").status == 400
        assert server.get(f"{path}?_HLS_msn={msn + 50}").status == 400
        assert "#EXT-X-SKIP" not in server.get(path).text


def test_a_wrong_key_is_refused_with_a_reason_and_the_encoder_stops(server: Server) -> None:
    with publishing(media.clip(10), f"{server.rtmp}/no-such-key") as publisher:
        status, said = publisher.wait(10)

    assert status != 0
    assert "unknown stream key" in said


def test_a_busy_key_is_refused_and_the_first_publisher_goes_on(server: Server) -> None:
    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)) as first:
        ready(server, live)
        with publishing(media.clip(10), server.ingest_url(live)) as second:
            status, said = second.wait(10)
        assert status != 0
        assert "in use" in said
        assert first.process.poll() is None


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_one_kind_of_media_alone_plays(kind: str, server: Server) -> None:
    source = media.clip(6, audio=kind == "audio", video=kind == "video")
    live = server.live_stream()
    with publishing(source, server.ingest_url(live), loop=False) as publisher:
        assert set(ready(server, live)) == {kind}
        assert publisher.wait(30)[0] == 0
    until(lambda: "#EXT-X-ENDLIST" in server.get(ready(server, live)[kind]).text)
    url = f"{server.http}/live/{live['liveStreamId']}.m3u8"
    assert media.frame_hashes(url, kind[0]) == media.frame_hashes(source, kind[0])


def test_a_codec_that_is_not_taken_ends_with_a_reason(server: Server) -> None:
    live = server.live_stream()
    options = ("-c:v", "flv1", "-an")
    with publishing(media.clip(10), server.ingest_url(live), *options) as publisher:
        assert publisher.wait(15)[0] != 0

    until(lambda: "Sorenson H.263" in server.log())


def test_two_hundred_garbage_connections_leave_a_publisher_alone(server: Server) -> None:
    import os
    import socket
    from urllib.parse import urlsplit

    live = server.live_stream()
    with publishing(media.clip(10), server.ingest_url(live)) as publisher:
        path = ready(server, live)["video"]
        address = ("127.0.0.1", urlsplit(server.rtmp).port)
        held = []
        for number in range(200):
            connection = socket.create_connection(address, 5)  # type: ignore[arg-type]
            with_handshake = b"\3" + os.urandom(number * 20)
            connection.sendall([os.urandom(200), b"GET / HTTP/1.1\r\n\r\n", b"\x16\3\1", with_handshake][number % 4])
            held.append(connection)
        before = server.get(path).text
        until(lambda: server.get(path).text != before)
        for connection in held:
            connection.close()
        assert publisher.process.poll() is None
