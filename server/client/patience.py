"""How long to put up with a server that limits its callers, is busy, or is away for a while: TROUBLES is all there is
to it. A call is made again only where that can't do its work twice.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from server import clock
from server.client.api import Answer, Unreachable, exchange
from server.client.refusals import Refused

SAFE = frozenset({"GET", "HEAD", "PUT", "DELETE", "PATCH"})  # the second time they change nothing more
TOLD_WAIT_S = 300.0  # of one wait that a server asks for: who wants more is asked again another day
JITTER = 0.25  # of a wait, added: callers that were refused together do not come back together
RATE_HEADERS = ("Retry-After", "X-RateLimit-Retry-After", "X-RateLimit-Reset")  # RFC 9110, section 10.2.3; api.video's


@dataclass(frozen=True, slots=True)
class Trouble:
    """`calls` at most, with waits between them that begin with `first_s` and double up to `longest_s`, unless the
    server says how long. `undone`: it is known that nothing was done, so any call may be made again."""

    calls: int
    first_s: float
    longest_s: float
    undone: bool = False


AWAY = Trouble(6, 0.5, 10.0)  # no answer: 0.5 + 1 + 2 + 4 + 8 s, as long as a restart takes
TROUBLES: Mapping[int, Trouble] = {
    408: Trouble(4, 0.5, 5.0),
    425: Trouble(4, 0.5, 5.0, undone=True),
    429: Trouble(12, 1.0, 60.0, undone=True),  # rates are by the minute: several of them pass
    500: Trouble(3, 1.0, 5.0),  # it may be the call itself that breaks it
    502: Trouble(6, 0.5, 10.0),
    503: Trouble(8, 1.0, 30.0, undone=True),
    504: Trouble(4, 1.0, 10.0),
}  # any other refusal is for good


def trouble_of(failure: Refused | Unreachable) -> Trouble | None:
    """None: another call would have the same answer."""
    return TROUBLES.get(failure.status) if isinstance(failure, Refused) else AWAY


def wait_s(failure: Refused | Unreachable, made: int, chance: float) -> float | None:
    """Before the next call, after `made` of them; None: no more. `chance`: 0 to 1, of the jitter."""
    trouble = trouble_of(failure)
    if trouble is None or made >= trouble.calls:
        return None
    told = _told_s(failure.headers) if isinstance(failure, Refused) else None
    if told is not None and told > TOLD_WAIT_S:
        return None
    wait = told if told is not None else min(trouble.longest_s, trouble.first_s * 2 ** (made - 1))
    return wait * (1 + JITTER * chance)


def _told_s(headers: Mapping[str, str]) -> float | None:
    """The longest that any header says: seconds, or a date-time. None where none says anything that makes sense."""
    given = {name.lower(): value for name, value in headers.items()}
    said = (_seconds(given.get(name.lower(), "")) for name in RATE_HEADERS)
    return max((one for one in said if one is not None and one > 0), default=None)


def _seconds(text: str) -> float | None:
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) <= 12:
        value = float(text)
        return value - clock.now().timestamp() if value > 1e9 else value  # some tell the moment
    try:
        ends = parsedate_to_datetime(text)
    except ValueError:
        return None
    return ((ends if ends.tzinfo else ends.replace(tzinfo=UTC)) - clock.now()).total_seconds()


@dataclass(slots=True)
class Patient:
    """Calls as `client.api.exchange`, again and again where that may help. `waits` hears of each wait: for how many
    seconds, and why. A server that has never answered is not waited for: its address may be wrong."""

    waits: Callable[[float, str], None]
    sleep: Callable[[float], None] = time.sleep
    call: Callable[[str, str, bytes | None, Mapping[str, str]], Answer] = exchange
    _heard: set[str] = field(default_factory=set)

    def __call__(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Raises Refused, Unreachable: what was said the last time."""
        made = 0
        while True:
            made += 1
            try:
                answer = self.call(method, url, data, headers)
            except (Refused, Unreachable) as failure:
                wait = wait_s(failure, made, secrets.randbelow(1001) / 1000)
                if wait is None or not self._may(method, url, headers, failure):
                    raise
                self.waits(wait, str(failure))
                self.sleep(wait)
            else:
                self._heard.add(_host(url))
                return answer

    def _may(self, method: str, url: str, headers: Mapping[str, str], failure: Refused | Unreachable) -> bool:
        if isinstance(failure, Refused):
            self._heard.add(_host(url))
        elif _host(url) not in self._heard:
            return False
        trouble = trouble_of(failure)
        return method in SAFE or "Idempotency-Key" in headers or (trouble is not None and trouble.undone)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
