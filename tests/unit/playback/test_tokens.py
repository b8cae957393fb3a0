"""Tokens open what they say, as long as they say, and nothing that was not signed here."""

import base64
import contextlib
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import Problem
from server.playback import tokens as module
from server.playback.tokens import DEFAULT_TTL_S, LEEWAY_S, SESSION_S, Limits, Tokens, check_limits

SECRET = "s" * 32
VIDEO = "vi1111111111111111111112"
OTHER = "vi1111111111111111111113"
LIMITS = Limits(("https://example.com",), "192.0.2.0/24", ("FR",), 720, "user-7", 2)


class Clock:
    """Milliseconds, set by hand."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms

    def go(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)

    @property
    def s(self) -> int:
        return self.ms // 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(SECRET, clock)


def code_of(tokens: Tokens, token: str, subject: str = VIDEO, audiences: Any = ("playback",)) -> str:
    with pytest.raises(Problem) as caught:
        tokens.verify(token, subject, audiences)
    return caught.value.code


def signed(clock: Clock, key: Any = SECRET, algorithm: str = "HS256", headers: Any = None, **claims: Any) -> str:
    whole = {"sub": VIDEO, "aud": "playback", "exp": clock.s + 60, **claims}
    return jwt.encode({k: v for k, v in whole.items() if v is not ...}, key, algorithm, headers)


def test_a_minted_token_grants_what_it_was_minted_for(tokens: Tokens, clock: Clock) -> None:
    minted = tokens.mint(VIDEO, ttl_s=600, limits=LIMITS)

    grant = tokens.verify(minted.token, VIDEO)

    assert minted.expires_at == clock.s + 600
    assert (grant.subject, grant.audience, grant.limits, grant.session) == (VIDEO, "playback", LIMITS, None)
    assert (grant.token_id, grant.expires_at, grant.issued_at) == (minted.token_id, clock.s + 600, clock.ms / 1000)


def test_an_hour_unless_told_otherwise(tokens: Tokens, clock: Clock) -> None:
    assert tokens.mint(VIDEO).expires_at == clock.s + DEFAULT_TTL_S == clock.s + 3600


def test_the_claims_are_the_documented_ones(tokens: Tokens, clock: Clock) -> None:
    claims = jwt.decode(tokens.mint(VIDEO, limits=LIMITS).token, options={"verify_signature": False})

    assert set(claims) == {
        "sub", "aud", "exp", "iat", "jti", "origins", "ip", "countries", "max_quality", "viewer", "sessions",
    }  # fmt: skip


def test_limits_that_are_not_set_are_not_in_the_token(tokens: Tokens) -> None:
    claims = jwt.decode(tokens.mint(VIDEO).token, options={"verify_signature": False})

    assert set(claims) == {"sub", "aud", "exp", "iat", "jti"}


@pytest.mark.parametrize(
    ("after_s", "opens"), [(0, True), (3600, True), (3600 + LEEWAY_S - 1, True), (3600 + LEEWAY_S, False)]
)
def test_it_ends_with_a_leeway_of_five_seconds(tokens: Tokens, clock: Clock, after_s: int, opens: bool) -> None:
    token = tokens.mint(VIDEO).token

    clock.go(after_s)

    if opens:
        tokens.verify(token, VIDEO)
    else:
        assert code_of(tokens, token) == "playback-token-expired"


def test_a_cached_token_ends_too(tokens: Tokens, clock: Clock) -> None:
    token = tokens.mint(VIDEO, ttl_s=10).token
    tokens.verify(token, VIDEO)

    clock.go(10 + LEEWAY_S)

    assert code_of(tokens, token) == "playback-token-expired"


@pytest.mark.parametrize(("early_s", "opens"), [(LEEWAY_S, True), (LEEWAY_S + 1, False)])
def test_not_before(tokens: Tokens, clock: Clock, early_s: int, opens: bool) -> None:
    token = signed(clock, nbf=clock.s + early_s)

    if opens:
        tokens.verify(token, VIDEO)
    else:
        assert code_of(tokens, token) == "playback-token-invalid"


def test_a_token_in_the_cache_is_still_for_one_asset_and_audience(tokens: Tokens) -> None:
    token = tokens.mint(VIDEO).token
    tokens.verify(token, VIDEO)

    assert code_of(tokens, token, OTHER) == "playback-token-invalid"
    assert code_of(tokens, token, VIDEO, ("thumbnail",)) == "playback-token-invalid"


def test_an_image_takes_both_audiences_and_a_segment_one(tokens: Tokens) -> None:
    images_only = tokens.mint(VIDEO, audience="thumbnail").token

    assert tokens.verify(images_only, VIDEO, ("playback", "thumbnail")).audience == "thumbnail"
    assert code_of(tokens, images_only) == "playback-token-invalid"


def b64(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_no_algorithm_opens_nothing(tokens: Tokens, clock: Clock) -> None:
    claims = {"sub": VIDEO, "aud": "playback", "exp": clock.s + 60}
    for name in ("none", "None", "NONE", "nOnE"):
        for signature in ("", "AAAA"):
            forged = f"{b64({'alg': name, 'typ': 'JWT'})}.{b64(claims)}.{signature}"
            assert code_of(tokens, forged) == "playback-token-invalid"


def test_the_algorithm_is_pinned(tokens: Tokens, clock: Clock) -> None:
    for algorithm in ("HS384", "HS512"):
        assert code_of(tokens, signed(clock, "s" * 64, algorithm)) == "playback-token-invalid"
        assert code_of(Tokens("s" * 64, clock), signed(clock, "s" * 64, algorithm)) == "playback-token-invalid"


def test_another_secret_opens_nothing(tokens: Tokens, clock: Clock) -> None:
    assert code_of(tokens, signed(clock, "f" * 32)) == "playback-token-invalid"


def test_any_changed_character_breaks_it(tokens: Tokens) -> None:
    token = tokens.mint(VIDEO).token
    for at, character in enumerate(token):
        changed = token[:at] + ("A" if character != "A" else "B") + token[at + 1 :]
        if at == len(token) - 1:
            continue  # the last one carries two bits that base64 throws away
        assert code_of(tokens, changed) == "playback-token-invalid"


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ...},
        {"aud": ...},
        {"exp": ...},
        {"sub": 7},
        {"sub": ["vi"]},
        {"aud": 7},
        {"aud": []},
        {"aud": ["playback", "thumbnail"]},
        {"exp": "soon"},
        {"exp": None},
        {"exp": True},
        {"exp": -1},
        {"exp": 10**30},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"nbf": "later"},
        {"iat": "then"},
        {"jti": 7},
        {"ses": 7},
        {"origins": "https://example.com"},
        {"origins": [7]},
        {"origins": ["not an origin"]},
        {"origins": ["https://example.com"] * 51},
        {"ip": "not an address"},
        {"ip": 7},
        {"countries": "FR"},
        {"countries": ["France"]},
        {"max_quality": "720"},
        {"max_quality": 0},
        {"max_quality": True},
        {"sessions": 1.5},
        {"sessions": 1001},
        {"restriction": "x\x00y"},
        {"restriction": "anything"},
        {"viewer": "x" * 257},
    ],
)
def test_a_claim_of_a_wrong_kind_opens_nothing(tokens: Tokens, clock: Clock, claims: dict[str, Any]) -> None:
    assert code_of(tokens, signed(clock, **claims)) == "playback-token-invalid"


def test_an_audience_may_be_a_list_of_one(tokens: Tokens, clock: Clock) -> None:
    assert tokens.verify(signed(clock, aud=["playback"]), VIDEO).audience == "playback"


def test_a_far_longer_token_is_not_looked_at(tokens: Tokens, clock: Clock) -> None:
    assert code_of(tokens, signed(clock, extra="x" * 5000)) == "playback-token-invalid"


@given(st.text(max_size=300))
def test_garbage_is_an_invalid_token(text: str) -> None:
    assert code_of(Tokens(SECRET), text) == "playback-token-invalid"


@given(st.dictionaries(st.sampled_from(["sub", "aud", "exp", "nbf", "iat", "jti", "origins", "ip", "max_quality"]),
                       st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=10),
                                    lambda inner: st.lists(inner, max_size=3), max_leaves=4)))  # fmt: skip
def test_signed_garbage_is_granted_or_refused(claims: dict[str, Any]) -> None:
    clock = Clock()
    body = b64({"sub": VIDEO, "aud": "playback", "exp": clock.s + 60, **claims})
    unsigned = f"{b64({'alg': 'HS256'})}.{body}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = base64.urlsafe_b64encode(algorithm.sign(unsigned.encode(), SECRET.encode())).rstrip(b"=").decode()
    with contextlib.suppress(Problem):
        Tokens(SECRET, clock).verify(f"{unsigned}.{signature}", VIDEO)


def test_a_session_outlives_the_token_that_opened_it(tokens: Tokens, clock: Clock) -> None:
    opening = tokens.mint(VIDEO, ttl_s=900, limits=LIMITS)
    session = tokens.mint_session(tokens.verify(opening.token, VIDEO), duration_s=7200)

    clock.go(7300)

    grant = tokens.verify(session.token, VIDEO)
    assert (grant.limits, grant.subject, grant.audience) == (LIMITS, VIDEO, "playback")
    assert grant.session is not None
    assert grant.session.startswith("ps")
    assert grant.token_id == opening.token_id  # one revocation ends both
    assert code_of(tokens, opening.token) == "playback-token-expired"


@pytest.mark.parametrize(
    ("duration_s", "ttl_s"), [(None, SESSION_S), (60.0, SESSION_S), (30_000.2, 60_001), (80_000.0, 160_000)]
)
def test_how_long_a_session_lives(tokens: Tokens, clock: Clock, duration_s: float | None, ttl_s: int) -> None:
    grant = tokens.verify(tokens.mint(VIDEO).token, VIDEO)

    assert tokens.mint_session(grant, duration_s).expires_at == clock.s + ttl_s


def test_a_renewed_session_stays_the_same_one(tokens: Tokens) -> None:
    first = tokens.verify(tokens.mint_session(tokens.verify(tokens.mint(VIDEO).token, VIDEO)).token, VIDEO)
    second = tokens.verify(tokens.mint_session(first).token, VIDEO)

    assert first.session == second.session is not None


def test_two_viewers_have_two_sessions(tokens: Tokens) -> None:
    grant = tokens.verify(tokens.mint(VIDEO).token, VIDEO)
    sessions = {tokens.verify(tokens.mint_session(grant).token, VIDEO).session for _ in range(3)}

    assert len(sessions) == 3


def test_the_cache_is_bounded(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    made = [tokens.mint(VIDEO).token for _ in range(5)]
    for token in made:
        tokens.verify(token, VIDEO)

    assert list(tokens._grants) == made[2:]


def test_a_cached_token_is_not_decoded_again(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tokens.mint(VIDEO).token
    first = tokens.verify(token, VIDEO)
    monkeypatch.setattr(tokens, "_read", lambda _: pytest.fail("decoded again"))

    assert tokens.verify(token, VIDEO) is first


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        Tokens("short")


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (Limits(origins=("ftp://example.com",)), "origins"),
        (Limits(origins=("https://exa mple.com",)), "origins"),
        (Limits(origins=("https://example.com/path",)), "origins"),
        (Limits(countries=("fr",)), "countries"),
        (Limits(ip="300.1.1.1"), "ip"),
        (Limits(viewer="x" * 257), "viewer"),
    ],
)
def test_limits_that_cannot_be_used_are_named(limits: Limits, name: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        check_limits(limits)
    assert caught.value.args[0] == name


@pytest.mark.parametrize(
    "limits",
    [
        Limits(),
        LIMITS,
        Limits(origins=("example.com", "*.example.com", "http://localhost:3000", "https://*.example.com:8443")),
        Limits(ip="2001:db8::/32"),
        Limits(ip="192.0.2.7"),
    ],
)
def test_limits_that_can(limits: Limits) -> None:
    check_limits(limits)
