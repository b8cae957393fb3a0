"""RTMPS: real publishers before and after the certificate is renewed under the running server."""

import os
import signal
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.harness.certificates import make_certificate
from tests.harness.modern import Encoder
from tests.harness.server import Server, until

pytestmark = pytest.mark.server

def presented(url: str) -> str:
    """The certificate that a new connection gets, as PEM."""
    address = urlsplit(url)
    return ssl.get_server_certificate((address.hostname or "", address.port or 0), timeout=60)


def test_a_publisher_over_tls_before_and_after_a_renewal(make_server: Callable[..., Server], tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    server = make_server(
        SLUICE_RTMP__CERTIFICATE=str(certificate), SLUICE_RTMP__KEY=str(key), SLUICE_RTMP__TLS_PORT="0"
    )
    url = server.live_stream()["rtmps"]
    first = certificate.read_text()
    with on_air(server, certificate) as staying:
        certificate.write_text("half a file")
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: "the certificate is kept" in server.log())
        assert presented(url) == first

        make_certificate(tmp_path)
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: presented(url) == certificate.read_text())
        with on_air(server, certificate):
            assert staying.process.poll() is None
    assert server.log().count('"event":"opened"') == 2


@contextmanager
def on_air(server: Server, certificate: Path) -> Iterator[Encoder]:
    """An encoder that trusts this certificate alone, and whose stream can be watched."""
    live = server.live_stream()
    url = f"{live['rtmps']}/{live['streamKey']}"
    encoder = Encoder.publish(url, ("h264",), ("aac",), 60, ("-tls_verify", "1", "-ca_file", str(certificate)))
    try:
        until(lambda: server.get(f"/live/{live['liveStreamId']}.m3u8").status == 200)
        yield encoder
    finally:
        encoder.stop()
