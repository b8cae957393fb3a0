"""The broadcast's own clock across publishers, generations and restarts, and how it stands to the wall clock."""

from server.stream.drift import WallClock
from server.stream.timeline import Position


class OutputClock:
    """Output time begins with the broadcast's first sample and never goes back. Milliseconds."""

    def __init__(self) -> None:
        self.generation = -1
        self.epoch_ms = 0  # wall clock at output time zero, as of this generation
        self.end_ms = 0  # output time that the generations before this one reached
        self._origin_ms: int | None = None  # the epoch of the first generation, moved by drift since
        self._wall: WallClock | None = None

    def restore(self, position: Position) -> None:
        """Goes on where a broadcast stood before a restart."""
        self.generation, self.end_ms = position.generation, position.end_ms
        if position.epoch_ms:
            self._origin_ms = self.epoch_ms = position.epoch_ms

    def start(self, now_ms: int) -> int:
        """Output time of a generation's first sample, which comes now.

        It follows the wall clock over an interruption, so that one epoch dates the whole broadcast, unless the media
        is ahead of it.
        """
        if self._origin_ms is None:
            self._origin_ms = now_ms
        start_ms = max(self.end_ms, now_ms - self._origin_ms)
        self.epoch_ms = now_ms - start_ms
        self._wall = WallClock(self.epoch_ms, start_ms)
        return start_ms

    def stop(self, end_ms: int) -> None:
        """The generation has ended there."""
        self.end_ms = max(self.end_ms, end_ms)

    def observe(self, at_ms: int, now_ms: int) -> bool:
        """Media of this output time comes now; whether the epoch has moved because the publisher's clock drifts."""
        if self._wall is None or not self._wall.observe(at_ms, now_ms):
            return False
        moved_ms = self._wall.epoch_ms - self.epoch_ms
        self.epoch_ms += moved_ms
        self._origin_ms = (self._origin_ms or 0) + moved_ms
        return True
