"""What became of the jobs of one process, for metrics."""

from dataclasses import dataclass, field

from server.jobs.errors import CANCELLED, JobFailed
from server.tally import Counts, Times

SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400)  # from probes to films


@dataclass(frozen=True, slots=True)
class Numbers:
    """By kind."""

    waited_s: Times = field(default_factory=lambda: Times(SECONDS))  # from the order to the first claim
    ran_s: Times = field(default_factory=lambda: Times(SECONDS))  # from the claim to the end, pauses with it
    outcomes: Counts = field(default_factory=Counts)  # done | failed | cancelled
    failures: Counts = field(default_factory=Counts)  # and the code

    def ended(self, kind: str, seconds: float, failure: JobFailed | None) -> None:
        self.ran_s.add(seconds, kind)
        if failure is None:
            self.outcomes.add(kind, "done")
        elif failure.code == CANCELLED:
            self.outcomes.add(kind, "cancelled")
        else:
            self.outcomes.add(kind, "failed")
            self.failures.add(kind, failure.code)
