"""The certificate of RTMPS, as clients see it."""

import ssl
from pathlib import Path

import pytest

from server.config import ConfigError, RtmpConfig
from server.ingest.certificate import Certificate
from tests.harness.certificates import make_certificate


def config_of(certificate: Path, key: Path | None = None) -> RtmpConfig:
    return RtmpConfig(certificate=certificate, key=key)  # type: ignore[call-arg]


def presented(context: ssl.SSLContext, trusted: Path) -> bool:
    """Whether a client that trusts this certificate alone shakes hands with the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(to_server, to_client, server_side=True)
    client = ssl.create_default_context(cafile=str(trusted)).wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return client.version() is not None


def test_a_new_certificate_is_presented_once_it_is_reloaded(tmp_path: Path) -> None:
    path, key = make_certificate(tmp_path)
    certificate = Certificate(config_of(path, key))
    old = tmp_path / "old.pem"
    old.write_bytes(path.read_bytes())
    assert presented(certificate.context, old)

    make_certificate(tmp_path)
    assert presented(certificate.context, old)
    assert certificate.reload()
    assert presented(certificate.context, path)
    assert not presented(certificate.context, old)


@pytest.mark.parametrize("damage", ["certificate", "key", "absent", "another key"])
def test_a_bad_one_is_not_taken(tmp_path: Path, damage: str) -> None:
    path, key = make_certificate(tmp_path)
    certificate = Certificate(config_of(path, key))
    old = tmp_path / "old.pem"
    old.write_bytes(path.read_bytes())
    (tmp_path / "other").mkdir()
    match damage:
        case "certificate":
            path.write_text("no certificate")
        case "key":
            key.write_text("no key")
        case "absent":
            path.unlink()
        case "another key":
            key.write_bytes(make_certificate(tmp_path / "other")[1].read_bytes())

    assert not certificate.reload()
    assert presented(certificate.context, old)


def test_one_that_can_not_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for name in ("bad.pem", "absent.pem"):
        with pytest.raises(ConfigError, match=f"rtmp.certificate: .*{name}"):
            Certificate(config_of(tmp_path / name))


def test_a_fault_is_told_in_words(tmp_path: Path) -> None:
    path, key = make_certificate(tmp_path)
    (tmp_path / "bad.pem").write_text("no certificate")
    for pair, words in (
        ((path, tmp_path / "absent.pem"), "rtmp.key: .*absent.pem can't be used: No such file or directory$"),
        ((tmp_path, key), "rtmp.certificate: .* can't be used: Is a directory$"),
        ((tmp_path / "bad.pem", key), "bad.pem can't be used: it and rtmp.key are no PEM certificate and its key$"),
    ):
        with pytest.raises(ConfigError, match=words):
            Certificate(config_of(*pair))


def test_a_key_behind_a_password_is_an_error_and_no_question(tmp_path: Path) -> None:
    path, key = make_certificate(tmp_path, password="secret")
    with pytest.raises(ConfigError, match="rtmp"):
        Certificate(config_of(path, key))
