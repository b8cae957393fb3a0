import pytest

from server.catalog.upload_models import UploadSession
from server.media.facts import SourceFacts
from server.media.problems import Unreadable
from server.vod import terms

FACTS = SourceFacts("MP4", 12.0)  # without pictures


@pytest.mark.parametrize(
    ("most_s", "types", "code"),
    [
        (None, [], None), (12, [], None), (11.95, [], None), (11, [], "too-long"), (None, ["mp4"], None),
        (None, ["audio/*"], None), (None, ["video/*"], "other-type"), (None, ["mkv"], "other-type"),
    ],
)  # fmt: skip
def test_terms(most_s: float | None, types: list[str], code: str | None) -> None:
    session = UploadSession(max_duration_s=most_s, types=types)

    assert terms.limited(session) is (most_s is not None or types != [])
    if code is None:
        terms.check(session, FACTS)
        return
    with pytest.raises(Unreadable) as caught:
        terms.check(session, FACTS)
    assert caught.value.code == code


def test_without_a_session() -> None:
    terms.check(None, FACTS)

    assert not terms.limited(None)
