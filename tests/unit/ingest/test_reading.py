"""Who may read a broadcast out."""

import pytest

from server.errors import Problem
from server.ingest.on_air import Refused
from server.ingest.reading import Reading
from tests.unit.ingest.conftest import KEY, Studio


@pytest.fixture
def reading(studio: Studio) -> Reading:
    async def may_watch(name: str, token: str, address: str) -> str | None:
        if token == "expired":
            raise Problem("playback-token-expired")
        return name.removeprefix("short-") if (token, address) == ("good", "192.0.2.1") else None

    return Reading(studio.database, studio.broadcasts, may_watch)


async def test_a_key_or_a_token_opens_what_is_on_air(studio: Studio, reading: Reading) -> None:
    live, _ = await studio.on_air()
    on_air = studio.showing(live)
    assert await reading.find(KEY, "", "") is on_air
    assert await reading.find(f"short-{live}", "a=1&token=good", "192.0.2.1") is on_air


@pytest.mark.parametrize(
    ("name", "query", "reason"),
    [
        ("no-such-key", "", "unknown stream key"),
        ("{live}", "token=", "unknown stream key"),
        ("{live}", "token=bad", "the token does not open this"),
        ("{live}", "avh=expired", "The playback token has expired."),
        ("li0000000000000000000000", "token=good", "the live stream is not on air"),
    ],
)
async def test_everybody_else_is_told(
    studio: Studio, reading: Reading, name: str, query: str, reason: str
) -> None:
    live, _ = await studio.on_air()
    with pytest.raises(Refused) as refused:
        await reading.find(name.format(live=live), query, "192.0.2.1")
    assert str(refused.value) == reason


async def test_what_is_over_is_not_read(studio: Studio, reading: Reading) -> None:
    live, publisher = await studio.on_air()
    await studio.broadcasts.complete(live)
    with pytest.raises(Refused, match="not on air"):
        await reading.find(KEY, "", "")
    assert publisher.broadcast_id == studio.showing(live).broadcast_id
