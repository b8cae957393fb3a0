"""Who may publish, by the row: a table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.catalog.models import LiveStream
from server.ingest import admission
from server.ingest.admission import Refusals, admitted, early, role_of
from server.ingest.on_air import Refused

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, None),
        ({"state": "disabled"}, "the live stream is disabled"),
        ({"stops_at": NOON + HOUR}, None),
        ({"stops_at": NOON}, "the schedule of the live stream was over at 2026-05-01 12:00 UTC"),
        ({"starts_at": NOON + HOUR}, None),
    ],
)
def test_admitted(fields: dict[str, Any], refused: str | None) -> None:
    live = LiveStream(**{"state": "idle", **fields})

    if refused is None:
        assert admitted(live, NOON) is live
    else:
        with pytest.raises(Refused, match=f"^{refused}$"):
            admitted(live, NOON)


def test_nobodys_key() -> None:
    with pytest.raises(Refused, match="unknown stream key"):
        admitted(None, NOON)


@pytest.mark.parametrize(("starts_at", "expected"), [(None, False), (NOON, False), (NOON + HOUR, True)])
def test_early(starts_at: datetime | None, expected: bool) -> None:
    assert early(LiveStream(starts_at=starts_at), NOON) is expected


def test_the_same_refusal_is_news_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "REMEMBERED", 2)
    refusals = Refusals()

    assert [refusals.worth_telling("li1", "disabled", at) for at in (0, 3, 59, 60, 61)] == [
        True, False, False, True, False
    ]  # fmt: skip
    assert refusals.worth_telling("li2", "disabled", 61)
    assert refusals.worth_telling("li1", "in use", 61)
    assert refusals.worth_telling("li1", "disabled", 62)  # forgotten: there are too many others


def test_roles() -> None:
    live = LiveStream(stream_key="a", backup_key="b")

    assert (role_of(live, "a"), role_of(live, "b")) == ("primary", "backup")
    assert role_of(LiveStream(stream_key="a", backup_key=None), "a") == "primary"
