from datetime import UTC, datetime

from server.webhooks.places import Places
from server.webhooks.verdicts import Health

SINCE = datetime(2026, 1, 31, tzinfo=UTC)


def test_each_endpoint_has_places_of_its_own() -> None:
    places = Places(2)
    places.take("a")
    places.take("a")

    assert (places.free("a"), places.free("a", landed=1), places.free("b")) == (0, 1, 2)
    places.give_back("a")
    assert (places.free("a"), places.in_flight) == (1, 1)


def test_beyond_all_places_who_has_none_gets_one() -> None:
    places = Places(4, limit=3)
    for _ in range(3):
        places.take("a")

    assert (places.free("a"), places.free("b")) == (0, 1)
    places.take("b")
    assert (places.free("b"), places.in_flight) == (0, 4)
    assert places.free("a", landed=2) == 1
    assert (places.free("a", landed=2, coming=1), places.free("c", coming=5)) == (0, 1)


def test_an_endpoint_that_is_away_has_one_until_it_answers() -> None:
    places = Places(8)
    places.adapt("a", Health(5, SINCE))
    assert places.free("a") == 1
    places.take("a")
    places.take("a")  # claimed before it was slow
    assert places.free("a") == 0
    places.adapt("a", Health())
    assert places.free("a") == 6
    places.adapt("a", Health(5, SINCE))
    places.forget("a")
    assert places.free("a") == 6


def test_those_that_come_in_one_round_share_what_is_left() -> None:
    places = Places(4, limit=6)

    assert [places.free("a"), places.free("b", coming=4), places.free("c", coming=6)] == [4, 2, 1]
