"""How a job fails for good, and what makes it begin again.

    NotAgain                 to whoever wants to run it again
    StepsChanged             an upgrade in the middle of the job: it begins again from its first step
    JobFailed                code, detail
    ├─ raised by a step or a job to end the job: never retried
    ├─ made of any other error of a step, once its attempts are used up (INTERNAL)
    └─ made here of what ends a job from outside (CANCELLED, CRASHING, UNKNOWN)
"""

# codes of this package; kinds of jobs have their own
INTERNAL = "internal-error"
CANCELLED = "cancelled"
CRASHING = "crashing"  # the server ended while it ran, again and again
UNKNOWN = "unknown-kind"  # ordered by a version that knew it

MAX_TEXT = 2000  # characters kept of what an error says


class JobFailed(Exception):
    """A job can't succeed. The same is raised again when a finished step is replayed after a crash."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail[:MAX_TEXT])
        self.code = code

    @property
    def detail(self) -> str:
        return str(self)

    @property
    def text(self) -> str:
        """As the row keeps it."""
        return f"{self.code}: {self.detail}"


class NotAgain(Exception):
    """A job that has failed would have nothing to do if it ran again: a sentence why, and what would help."""


class StepsChanged(Exception):
    """What is remembered of the job doesn't fit the steps that it calls."""
