import pytest

from server.protocols import webhook

BODY = b'{"type":"video.done"}'
SECRET, OTHER = "sig_sec_one", "sig_sec_two"
AT = 1_700_000_000


def test_a_body_is_signed_as_api_video_signs_it() -> None:
    # openssl dgst -sha256 -hmac sig_sec_one
    assert webhook.of_body(BODY, SECRET) == "4b615c1798a4906f3674e587d51414912cda988bf5c20fbaba4d777edb5053ef"


def test_each_secret_makes_a_signature_that_holds() -> None:
    header = webhook.timed(BODY, [SECRET, OTHER], AT)

    assert header.startswith(f"t={AT},v1=")
    assert header.count("v1=") == 2
    assert webhook.holds(header, BODY, SECRET, AT)
    assert webhook.holds(header, BODY, OTHER, AT)


@pytest.mark.parametrize(
    ("header", "body", "secret", "now_s"),
    [
        pytest.param(webhook.timed(BODY, [SECRET], AT), BODY + b" ", SECRET, AT, id="another body"),
        pytest.param(webhook.timed(BODY, [SECRET], AT), BODY, OTHER, AT, id="another secret"),
        pytest.param(webhook.timed(BODY, [SECRET], AT), BODY, SECRET, AT + 301, id="too old"),
        pytest.param(webhook.timed(BODY, [SECRET], AT), BODY, SECRET, AT - 301, id="from the future"),
        pytest.param(webhook.timed(BODY, [SECRET], AT).replace(f"t={AT}", f"t={AT + 1}"), BODY, SECRET, AT, id="time"),
        pytest.param("", BODY, SECRET, AT, id="none"),
        pytest.param("t=,v1=", BODY, SECRET, AT, id="empty"),
        pytest.param(f"t={AT}", BODY, SECRET, AT, id="no signature"),
        pytest.param("t=" + "9" * 5000 + ",v1=a", BODY, SECRET, AT, id="a long number"),
        pytest.param(f"t={AT},v1=é", BODY, SECRET, AT, id="no hexadecimal"),
    ],
)
def test_what_was_changed_does_not_hold(header: str, body: bytes, secret: str, now_s: int) -> None:
    assert not webhook.holds(header, body, secret, now_s)


def test_secrets_differ() -> None:
    one, two = webhook.new_secret(), webhook.new_secret()
    assert one != two
    assert one.startswith("sig_sec_")
    assert len(one) == 40
