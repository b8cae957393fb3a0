"""When warnings begin and end."""

from server.ingest.health.episodes import APART_S, BEGINS_S, ENDS_S, Episodes
from server.ingest.health.rules import Warning

NOISE = Warning("noise", "a noise")
LOUDER = Warning("noise", "a louder noise")


def run(episodes: Episodes, seconds: int, found: list[Warning], start: int) -> list[tuple[int, str, bool]]:
    """News of so many seconds in which the same holds: (second, code, active)."""
    news = []
    for at in range(start, start + seconds):
        news += [(at, item.warning.code, item.active) for item in episodes.update(found, float(at))]
    return news


def test_a_flicker_is_no_episode() -> None:
    episodes = Episodes()

    for start in range(0, 60, 6):
        assert run(episodes, 4, [NOISE], start) == []
        assert run(episodes, 2, [], start + 4) == []

    assert episodes.active == []


def test_an_episode_begins_and_ends_once_in_its_newest_words() -> None:
    episodes = Episodes()

    began = run(episodes, 10, [NOISE], 0) + run(episodes, 10, [LOUDER], 10)

    assert began == [(int(BEGINS_S), "noise", True)]
    assert episodes.active == [LOUDER]
    ended = run(episodes, 60, [], 20)
    assert ended == [(19 + int(ENDS_S), "noise", False)]
    assert episodes.active == []


def test_a_short_pause_does_not_end_it() -> None:
    episodes = Episodes()
    run(episodes, 10, [NOISE], 0)

    assert run(episodes, 10, [], 10) == run(episodes, 10, [NOISE], 20) == []


def test_two_episodes_of_a_code_are_apart() -> None:
    episodes = Episodes()
    run(episodes, 10, [NOISE], 0)
    run(episodes, 20, [], 10)

    again = run(episodes, 60, [NOISE], 30)

    assert again == [(int(BEGINS_S + APART_S), "noise", True)]


def test_the_publishers_end_ends_all() -> None:
    episodes = Episodes()
    run(episodes, 10, [NOISE], 0)
    run(episodes, 1, [NOISE, Warning("short", "just begun")], 10)

    assert [(item.warning.code, item.active) for item in episodes.end()] == [("noise", False)]
    assert episodes.end() == []
