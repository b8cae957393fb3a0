"""When an attempt that failed is repeated, and when it is not any more. Pure: the time is passed in."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

WAITS_S = (5, 10, 15, 30, 60, 120, 180, 180, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600)
"""Seconds before the second attempt, the third, …; the last one goes on. The first eight make up ten minutes."""
JITTER = 0.1  # only ever later, so that endpoints that fell together are not called together

PASS_AFTER_S = 600
"""An event that has failed for so long lets the later ones of its object pass."""
GIVE_UP_AFTER_S = 3 * 86_400
"""An event that has failed for so long is dead."""
RETRY_AFTER_LIMIT_S = 3600  # of what a receiver asks for


def wait_s(failures: int, chance: Callable[[], float] = random.random, asked_s: int = 0) -> float:
    """How long after the `failures`-th failure in a row, from 1; `asked_s` is the receiver's Retry-After."""
    wait = WAITS_S[min(failures, len(WAITS_S)) - 1]
    return max(wait, min(asked_s, RETRY_AFTER_LIMIT_S)) * (1 + JITTER * chance())


def may_pass(failing_since: datetime, now: datetime) -> bool:
    return now - failing_since >= timedelta(seconds=PASS_AFTER_S)


def is_dead(failing_since: datetime, now: datetime) -> bool:
    return now - failing_since >= timedelta(seconds=GIVE_UP_AFTER_S)
