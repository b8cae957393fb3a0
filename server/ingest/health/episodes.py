"""When a warning begins and when it is over: numbers that flicker around a threshold make one episode, not many."""

from collections.abc import Iterable
from dataclasses import dataclass

from server.ingest.health.rules import Warning

BEGINS_S = 5.0  # a warning that holds for so long is one
ENDS_S = 15.0  # and is over when it has not held for so long
APART_S = 60.0  # two episodes of one code begin at least so far apart: what news costs


@dataclass(frozen=True, slots=True)
class News:
    """An episode begins, or is over."""

    warning: Warning
    active: bool


@dataclass(slots=True)
class _Episode:
    warning: Warning
    since: float
    last: float
    told: bool = False


class Episodes:
    """Of one live stream; one a code at a time."""

    def __init__(self) -> None:
        self._open: dict[str, _Episode] = {}
        self._began: dict[str, float] = {}

    @property
    def active(self) -> list[Warning]:
        """What holds, in its newest words."""
        return [episode.warning for episode in self._open.values() if episode.told]

    def update(self, found: Iterable[Warning], now: float) -> list[News]:
        """What holds now; the news in it."""
        for warning in found:
            episode = self._open.setdefault(warning.code, _Episode(warning, now, now))
            episode.warning, episode.last = warning, now
        return [*self._beginnings(now), *self._ends(now)]

    def end(self) -> list[News]:
        """The publisher is gone: nothing holds any more."""
        told = [News(episode.warning, False) for episode in self._open.values() if episode.told]
        self._open.clear()
        return told

    def _beginnings(self, now: float) -> list[News]:
        news = []
        for code, episode in self._open.items():
            held = episode.last == now and now - episode.since >= BEGINS_S
            if held and not episode.told and now - self._began.get(code, -APART_S) >= APART_S:
                episode.told = True
                self._began[code] = now
                news.append(News(episode.warning, True))
        return news

    def _ends(self, now: float) -> list[News]:
        over = [code for code, episode in self._open.items() if _is_over(episode, now)]
        closed = [self._open.pop(code) for code in over]
        return [News(episode.warning, False) for episode in closed if episode.told]


def _is_over(episode: _Episode, now: float) -> bool:
    """One that was never told needs no patience: its time to begin starts again."""
    return now - episode.last >= (ENDS_S if episode.told else 1e-9) and episode.last != now
