"""URLs of users, and those that are made to be read in two ways."""

import pytest

from server.outbound.target import MAX_CHARS, BadUrl, Target


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com/a.mp4", "https://example.com/a.mp4"),
        (" HTTP://Example.COM ", "http://example.com/"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:8080/a?b=c#d", "http://example.com:8080/a?b=c"),
        ("https://example.com./a", "https://example.com/a"),
        ("https://user:pass@example.com/a", "https://example.com/a"),
        ("https://example.com/%7Ea%2Fb%20c?X-Amz-Signature=a%2Bb%3D", "https://example.com/%7Ea%2Fb%20c?X-Amz-Signature=a%2Bb%3D"),
        ("https://example.com/vidéo.mp4", "https://example.com/vid%C3%A9o.mp4"),
        ("https://bücher.example/a", "https://xn--bcher-kva.example/a"),
        ("http://93.184.216.34/a", "http://93.184.216.34/a"),
        ("http://[2606:4700:4700:0::1111]:8080/a", "http://[2606:4700:4700::1111]:8080/a"),
        ("http://\uff11\uff12\uff17.0.0.1/", "http://127.0.0.1/"),  # fullwidth digits
    ],
)  # fmt: skip
def test_urls_in_their_one_spelling(text: str, url: str) -> None:
    target = Target.parse(text)
    assert target.url == url
    assert Target.parse(url).url == url


@pytest.mark.parametrize(
    "text",
    [
        "", "example.com/a", "//example.com/a", "ftp://example.com/a", "file:///etc/passwd", "gopher://example.com/",
        "data:video/mp4;base64,AAAA", "https://", "https:///a", "http://exa mple.com/", "http://example.com\\@10.0.0.1/",
        "http://example.com/a\r\nHost: b", "http://example.com:99999/", "http://example.com:x/", "http://[::1/",
        "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://017700000001/",
        "http://0177.0.0.1/", "http://127.0.0.01/", "http://1.2.3.4.5/", "http://a.1/", "http://-a.com/",
        "http://a..b/", "http://%6c%6f/", "http://a/" + "b" * MAX_CHARS, "http://" + "a" * 64 + ".com/",
    ],
)  # fmt: skip
def test_what_is_no_url_to_call(text: str) -> None:
    with pytest.raises(BadUrl, match=r"\.$"):
        Target.parse(text)


def test_credentials_are_kept_apart() -> None:
    target = Target.parse("https://us%40er:p%2Fw@example.com/a.mp4?sig=secret")

    assert (target.username, target.password) == ("us@er", "p/w")
    assert target.full_url == "https://us%40er:p%2Fw@example.com/a.mp4?sig=secret"
    assert Target.parse(target.full_url) == target
    assert target.shown == "https://example.com/a.mp4?…"
    assert "p/w" not in repr(target)


@pytest.mark.parametrize(
    ("location", "url", "known"),
    [
        ("/b", "https://example.com/b", True),
        ("b?c", "https://example.com/x/b?c", True),
        ("//other.com/b", "https://other.com/b", False),
        ("http://example.com/b", "http://example.com/b", False),
        ("https://example.com:8443/b", "https://example.com:8443/b", False),
        ("http://10.0.0.1/", "http://10.0.0.1/", False),
    ],
)
def test_a_redirect_takes_credentials_only_where_they_belong(location: str, url: str, known: bool) -> None:
    found = Target.parse("https://u:p@example.com/x/a").follow(location)
    assert (found.url, found.username is not None) == (url, known)


@pytest.mark.parametrize("location", ["ftp://example.com/", "http://127.1/", "http://[bad/"])
def test_a_redirect_that_leads_nowhere(location: str) -> None:
    with pytest.raises(BadUrl):
        Target.parse("https://example.com/").follow(location)


@pytest.mark.parametrize(
    ("text", "filename", "address"),
    [("http://a.com/x/My%20film.mp4?x=/y", "My film.mp4", False), ("http://a.com", None, False),
     ("http://1.2.3.4/a", "a", True), ("http://[2606::1]/a", "a", True)],
)  # fmt: skip
def test_names(text: str, filename: str | None, address: bool) -> None:
    target = Target.parse(text)
    assert (target.filename, target.is_address) == (filename, address)
