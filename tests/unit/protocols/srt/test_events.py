from server.protocols.srt.events import ConnectionRequested


def test_a_request_is_shown_without_its_secret() -> None:
    request = ConnectionRequested(("192.0.2.1", 5), "live/secret", "1.5.3", 256, 120, 7)
    assert repr(request) == "ConnectionRequested(('192.0.2.1', 5), SRT 1.5.3, 256 bits)"
