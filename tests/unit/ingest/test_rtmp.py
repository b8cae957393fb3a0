"""The RTMP listener: how many it lets in, its certificate, its end."""

import os
import ssl
from pathlib import Path

import pytest

from server.config import RtmpConfig
from server.ingest import rtmp
from server.ingest.rtmp import Listener
from tests.harness.certificates import make_certificate
from tests.unit.ingest.conftest import KEY, Studio, until
from tests.unit.ingest.encoder import SORENSON, Encoder


async def test_more_connections_than_allowed_are_refused(studio: Studio) -> None:
    config = RtmpConfig(host="127.0.0.1", port=0, max_publishers=2)  # type: ignore[call-arg]
    async with (
        Listener.open(studio.broadcasts, config) as listener,
        Encoder.connect(listener.port),
        Encoder.connect(listener.port),
        Encoder.connect(listener.port) as third,
    ):
        await until(lambda: third.ended)
        assert (listener.connections, listener.refused) == (2, 1)


async def test_one_host_that_only_connects_does_not_keep_publishers_out(
    studio: Studio, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp, "WAITING_PER_HOST", 2)
    await studio.live_stream()
    async with Encoder.connect(listener.port) as publisher:
        await publisher.publish()
        async with (
            Encoder.connect(listener.port),
            Encoder.connect(listener.port),
            Encoder.connect(listener.port) as third,
        ):
            await until(lambda: third.ended)
            assert (listener.connections, listener.refused) == (3, 1)
            assert not publisher.ended


async def test_a_stop_tells_the_publishers_and_keeps_their_broadcasts(studio: Studio) -> None:
    live = await studio.live_stream()
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener, Encoder.connect(listener.port) as encoder:
        await encoder.publish()
        encoder.media(1)
        await until(lambda: studio.showing(live).state == "live")
        await listener._close()
        await until(lambda: encoder.ended)
        assert encoder.told == "the server is stopping"
        await studio.stop()
    assert await studio.state(studio.showing(live).broadcast_id) == "interrupted"


async def test_a_port_that_is_taken_is_named(studio: Studio, listener: Listener) -> None:
    config = RtmpConfig(host="127.0.0.1", port=listener.port)  # type: ignore[call-arg]
    said = f"^RTMP can't listen on 127.0.0.1:{listener.port}: Address already in use$"
    with pytest.raises(OSError, match=said):
        async with Listener.open(studio.broadcasts, config):
            pass


async def test_no_socket_is_left(studio: Studio, listener: Listener) -> None:
    await studio.live_stream()
    before = _sockets()
    for end in ("abort", "end", "codec"):
        async with Encoder.connect(listener.port) as encoder:
            await encoder.publish()
            encoder.media(1)
            await until(lambda: studio.broadcasts.publishers())
            if end == "abort":
                encoder.abort()
            else:
                encoder.send(encoder.client.video(2000, SORENSON) if end == "codec" else encoder.client.end(KEY))
        await until(lambda: listener.connections == 0 and not studio.broadcasts.publishers())
    await until(lambda: _sockets() == before)


def _sockets() -> int:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


async def test_a_port_in_use_is_an_error_that_names_it_and_leaves_none_open(studio: Studio) -> None:
    config = RtmpConfig(host="127.0.0.1", port=0)  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener:
        taken = RtmpConfig(host="127.0.0.1", port=listener.port or 0)  # type: ignore[call-arg]
        with pytest.raises(OSError, match=str(listener.port)):
            async with Listener.open(studio.broadcasts, taken):
                pass


async def test_disabled_it_listens_nowhere(studio: Studio) -> None:
    async with Listener.open(studio.broadcasts, RtmpConfig(enabled=False)) as listener:  # type: ignore[call-arg]
        assert listener.port is None
        assert listener.tls_port is None


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


async def test_a_publisher_over_tls(studio: Studio, certificate: tuple[Path, Path]) -> None:
    live = await studio.live_stream()
    config = RtmpConfig(host="127.0.0.1", port=0, tls_port=0, certificate=certificate[0], key=certificate[1])  # type: ignore[call-arg]
    context = ssl.create_default_context(cafile=str(certificate[0]))
    async with Listener.open(studio.broadcasts, config) as listener:
        assert listener.tls_port != listener.port
        async with Encoder.connect(listener.tls_port, context) as encoder:
            assert await encoder.publish() == "NetStream.Publish.Start"
            encoder.media(2)
            await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)
            encoder.send(encoder.client.end(KEY))
            await until(lambda: studio.showing(live).stated)
        await until(lambda: listener.connections == 0)


async def test_a_tls_handshake_that_never_comes_is_given_up(
    studio: Studio, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rtmp, "TLS_TIMEOUT_S", 0.05)
    config = RtmpConfig(host="127.0.0.1", port=0, tls_port=0, certificate=certificate[0], key=certificate[1])  # type: ignore[call-arg]
    async with Listener.open(studio.broadcasts, config) as listener, Encoder.connect(listener.tls_port) as encoder:
        await until(lambda: encoder.ended)


async def test_connections_after_a_reload_get_the_new_certificate(studio: Studio, tmp_path: Path) -> None:
    live = await studio.live_stream()
    certificate, key = make_certificate(tmp_path)
    before = ssl.create_default_context(cafile=str(certificate))
    config = RtmpConfig(host="127.0.0.1", port=0, tls_port=0, certificate=certificate, key=key)  # type: ignore[call-arg]
    opened = Listener.open(studio.broadcasts, config)
    async with opened as listener, Encoder.connect(listener.tls_port, before) as first:
        await first.publish()
        first.media(1)
        make_certificate(tmp_path)
        listener.reload()

        with pytest.raises(ssl.SSLCertVerificationError):
            async with Encoder.connect(listener.tls_port, before):
                pass
        async with Encoder.connect(listener.tls_port, ssl.create_default_context(cafile=str(certificate))) as second:
            assert await second.publish() == "NetStream.Publish.BadName"  # the first one is there still
        first.media(1, start_ms=1000)
        await until(lambda: studio.showing(live).stream.statistics.video_frames == 50)


async def test_a_reload_without_a_certificate_does_nothing(listener: Listener) -> None:
    listener.reload()
    assert listener.tls_port is None
