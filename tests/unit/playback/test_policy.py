"""The rule of who may watch, case by case."""

from dataclasses import replace

import pytest

from server.errors import Problem
from server.playback.assets import Asset
from server.playback.policy import Allow, Facts, decide
from server.playback.tokens import Grant, Limits

PRIVATE = Asset("vi1", "video", "pr1", "A film", False, "done", True)
PUBLIC = replace(PRIVATE, public=True)
HERE = Facts("192.0.2.7")


def grant(session: bool = False, **limits: object) -> Grant:
    return Grant("vi1", "playback", 2000.0, 1000.0, 0.0, "jti-1", "ps1" if session else None, Limits(**limits))  # type: ignore[arg-type]


def test_a_public_asset_needs_no_token() -> None:
    assert decide(PUBLIC, None, HERE) == Allow()


def test_a_private_one_does() -> None:
    decision = decide(PRIVATE, None, HERE)

    assert isinstance(decision, Problem)
    assert decision.code == "playback-token-missing"


def test_a_grant_opens_and_says_what_it_carries() -> None:
    given = grant(max_quality=720, viewer="user-7")

    assert decide(PRIVATE, given, HERE) == Allow(given, 720, "user-7")


def test_a_revoked_token_opens_nothing_not_even_what_is_public() -> None:
    for asset in (PRIVATE, PUBLIC):
        for given in (grant(), grant(session=True)):
            decision = decide(asset, given, HERE, {"jti-1"})
            assert isinstance(decision, Problem)
            assert decision.code == "playback-token-invalid"


@pytest.mark.parametrize(("valid_after", "opens"), [(None, True), (999.9, True), (1000.0, True), (1000.001, False)])
def test_tokens_older_than_the_asset_wants_are_void(valid_after: float | None, opens: bool) -> None:
    decision = decide(replace(PRIVATE, tokens_valid_after=valid_after), grant(), HERE)

    assert isinstance(decision, Allow) is opens


def test_a_token_that_does_not_say_when_it_was_made_counts_as_old() -> None:
    decision = decide(replace(PRIVATE, tokens_valid_after=1.0), replace(grant(), issued_at=0.0), HERE)

    assert isinstance(decision, Problem)


@pytest.mark.parametrize(
    ("allowed", "origin", "opens"),
    [
        ("https://example.com", "https://example.com", True),
        ("https://example.com", "https://example.com:443", True),
        ("https://example.com", "https://example.com/page?x=1", True),  # a Referer
        ("https://example.com", "https://EXAMPLE.com", True),
        ("https://example.com", "http://example.com", False),
        ("https://example.com", "https://example.com:8443", False),
        ("https://example.com", "https://www.example.com", False),
        ("https://example.com", "https://example.com.evil.test", False),
        ("https://example.com", "https://evil.test/https://example.com", False),
        ("https://example.com", "https://example.com@evil.test", False),
        ("example.com", "http://example.com:8080", True),
        ("example.com:8080", "http://example.com:8080", True),
        ("example.com:8080", "http://example.com", False),
        ("example.com", "https://notexample.com", False),
        ("*.example.com", "https://www.example.com", True),
        ("*.example.com", "https://a.b.example.com", True),
        ("*.example.com", "https://example.com", False),
        ("*.example.com", "https://evilexample.com", False),
        ("https://*.example.com", "https://www.example.com", True),
        ("https://*.example.com", "http://www.example.com", False),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("example.com", "null", False),
        ("example.com", "", False),
        ("example.com", "https://[broken", False),
        ("example.com", "https://example.com:port", False),
    ],
)
def test_pages_that_may_play(allowed: str, origin: str, opens: bool) -> None:
    decision = decide(PRIVATE, grant(origins=(allowed,)), Facts("192.0.2.7", origin))

    assert isinstance(decision, Allow) is opens
    if isinstance(decision, Problem):
        assert decision.code == "playback-blocked"


@pytest.mark.parametrize(
    ("facts", "session", "opens"),
    [
        (Facts("192.0.2.7"), False, False),  # opened from nowhere
        (Facts("192.0.2.7"), True, True),  # the page was checked when the session began
        (Facts("192.0.2.7", "https://evil.test"), True, False),  # a session's URL pasted into another page
        (Facts("192.0.2.7", None, own_page=True), False, True),  # the embed page, checked when its frame was opened
    ],
)
def test_requests_that_do_not_say_where_they_come_from(facts: Facts, session: bool, opens: bool) -> None:
    decision = decide(PRIVATE, grant(session, origins=("example.com",)), facts)

    assert isinstance(decision, Allow) is opens


@pytest.mark.parametrize(
    ("allowed", "address", "opens"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.0/24", "192.0.2.7", True),
        ("192.0.2.9/24", "192.0.2.7", True),
        ("192.0.2.0/24", "::ffff:192.0.2.7", True),
        ("192.0.2.0/24", "198.51.100.1", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "192.0.2.7", False),
        ("192.0.2.0/24", "", False),
    ],
)
def test_addresses(allowed: str, address: str, opens: bool) -> None:
    assert isinstance(decide(PRIVATE, grant(ip=allowed), Facts(address)), Allow) is opens


@pytest.mark.parametrize(("country", "opens"), [("FR", True), ("DE", False), (None, False)])
def test_countries_where_nobody_knows_is_none_of_them(country: str | None, opens: bool) -> None:
    decision = decide(PRIVATE, grant(countries=("FR", "BE")), Facts("192.0.2.7", country=country))

    assert isinstance(decision, Allow) is opens


def test_limits_hold_on_public_assets_too() -> None:
    assert isinstance(decide(PUBLIC, grant(ip="198.51.100.1"), HERE), Problem)


PAGES = replace(PRIVATE, pages=("example.com", "*.shop.test", "my_domain.io:8443"))


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ("https://example.com", "example.com"),
        ("http://example.com:8080/page", "example.com"),
        ("https://a.b.shop.test", "*.shop.test"),
        ("https://my_domain.io:8443/x", "my_domain.io:8443"),
        ("https://www.example.com", None),
        ("https://shop.test", None),
        ("https://my_domain.io", None),
        ("https://example.com.evil.test", None),
        (None, None),
    ],
)
def test_pages_of_named_domains_play_without_a_token(origin: str | None, named: str | None) -> None:
    decision = decide(PAGES, None, Facts("192.0.2.7", origin))

    if named is None:
        assert isinstance(decision, Problem)
        assert decision.code == "playback-blocked"
    else:
        assert isinstance(decision, Allow)
        assert decision.grant is not None
        assert (decision.grant.page, decision.grant.limits) == (named, Limits(origins=(named,)))


def test_our_own_page_has_been_let_in_before_and_brings_what_it_was_given() -> None:
    assert isinstance(decide(PAGES, None, Facts("192.0.2.7", own_page=True)), Problem)


def test_a_token_goes_before_the_domains() -> None:
    assert isinstance(decide(PAGES, grant(), Facts("192.0.2.7", "https://evil.test")), Allow)


@pytest.mark.parametrize(
    ("asset", "origin", "opens"),
    [
        (PAGES, "https://example.com", True),
        (PAGES, None, True),
        (PAGES, "https://a.shop.test", False),  # a URL pasted into another page, though that may play too
        (replace(PAGES, pages=("*.shop.test",)), "https://example.com", False),
        (replace(PAGES, pages=()), None, False),
        (PUBLIC, None, True),
    ],
)
def test_a_page_s_session_ends_with_its_domain(asset: Asset, origin: str | None, opens: bool) -> None:
    given = replace(grant(session=True, origins=("example.com",)), page="example.com")

    assert isinstance(decide(asset, given, Facts("192.0.2.7", origin)), Allow) is opens


OPENED = {"led": True, "starts": True}  # a manifest: our page and our redirect lead to it


@pytest.mark.parametrize(
    ("facts", "request_", "opens"),
    [
        (HERE, {}, True),  # media, in a browser or program that doesn't tell
        (HERE, OPENED, True),
        (HERE, {"starts": True}, False),  # the session's URL in a frame of a page that doesn't tell its name
        (Facts("192.0.2.7", other_page=True), {}, False),
        (Facts("192.0.2.7", other_page=True), OPENED, False),
        (Facts("192.0.2.7", other_page=True), {"starts": True}, False),
        (Facts("192.0.2.7", own_page=True), {}, True),
        (Facts("192.0.2.7", own_page=True), OPENED, True),
        (Facts("192.0.2.7", own_page=True), {"starts": True}, True),
        (Facts("192.0.2.7", "https://example.com", other_page=True), {}, True),
        (Facts("192.0.2.7", "https://example.com", other_page=True), OPENED, True),
        (Facts("192.0.2.7", "https://example.com", other_page=True), {"starts": True}, True),
        (Facts("192.0.2.7", "https://evil.test", other_page=True), OPENED, False),
    ],
)
def test_a_page_s_session_is_not_for_pages_that_do_not_tell_their_name(
    facts: Facts, request_: dict[str, bool], opens: bool
) -> None:
    given = replace(grant(session=True, origins=("example.com",)), page="example.com")
    decision = decide(PAGES, given, facts, **request_)

    assert isinstance(decision, Allow) is opens
    if isinstance(decision, Problem):
        assert decision.code == "playback-blocked"


def test_a_session_that_a_token_began_may_go_on_in_any_page_that_does_not_tell() -> None:
    given = grant(session=True, origins=("example.com",))

    assert isinstance(decide(PAGES, given, Facts("192.0.2.7", other_page=True), starts=True), Allow)
