"""Which of the jobs that wait comes first, and how many of a lane run at once."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Literal

# Kinds of jobs that share places. What takes seconds never waits behind an hour of encoding, nor what only waits for
# a network behind either.
Lane = Literal["encode", "short", "io"]
LANES: tuple[Lane, ...] = ("encode", "short", "io")
Places = Mapping[Lane, int]  # how many of each run at once in this process; none: they are left to others


class Priority(IntEnum):
    """Lower comes first; projects take turns among jobs of the same one."""

    INTERACTIVE = 0  # somebody looks at it: the first seconds of a video
    SHORT = 1  # done in a moment, and others depend on it
    NORMAL = 2
    BULK = 3  # nobody waits for it
