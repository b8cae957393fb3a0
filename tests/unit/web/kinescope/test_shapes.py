"""What bodies of the dialect take, against those who have to do with it later."""

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from server.playback import origins
from server.playback.tokens import PLAYBACK, Grant, Limits, Tokens
from server.web.kinescope.shapes import DOMAIN_CHARS, Domain

DOMAINS: TypeAdapter[str] = TypeAdapter(Domain)
LONGEST = "a" * 60 + ("." + "a" * 63) * 3
NEAR = r"(\*\.)?([A-Za-z0-9_-]{1,4}\.){0,3}[A-Za-z0-9_-]{1,4}(:[0-9]{1,5})?"
tokens = Tokens("a secret of at least 32 bytes, for tests")


def taken(text: str) -> str | None:
    try:
        return DOMAINS.validate_python(text)
    except ValidationError:
        return None


@given(st.from_regex(NEAR, fullmatch=True))
@example(LONGEST)
@example("*." + LONGEST[2:])
@example("-a.example")
@example("a.example-")
def test_a_page_of_every_domain_that_is_taken_can_play(text: str) -> None:
    domain = taken(text)
    if domain is None:
        return
    minted = tokens.mint_session(Grant("vi1", PLAYBACK, 0.0, limits=Limits(origins=(domain,)), page=domain))
    assert tokens.verify(minted.token, "vi1").page == domain
    assert origins.matches("https://" + domain.replace("*.", "www."), domain) or ":" in domain


def test_which_are_taken() -> None:
    assert len(LONGEST) == DOMAIN_CHARS
    for text in (LONGEST, "a", "A-b.example", "my_domain.io:8443", "*.a.example", "xn--bcher-kva.example"):
        assert taken(text) == text.lower()
