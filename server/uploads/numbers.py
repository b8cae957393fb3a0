"""What became of uploads since the start, for metrics."""

from collections import OrderedDict
from dataclasses import dataclass, field

from server.tally import Counts, Times

SECONDS = (1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400)  # from clips to films over a phone
REMEMBERED = 4096  # uploads that requests were at


@dataclass(frozen=True, slots=True)
class Numbers:
    """By protocol: tus, request, fetch."""

    begun: Counts = field(default_factory=Counts)
    ended: Counts = field(default_factory=Counts)  # and how: finished | aborted | expired | superseded | failed
    took_s: Times = field(default_factory=lambda: Times(SECONDS))  # from its beginning to its last byte
    broken: Counts = field(default_factory=Counts)  # requests that broke off in the middle
    resumed: Counts = field(default_factory=Counts)  # uploads gone on with after that, or after a restart
    _whole: OrderedDict[str, bool] = field(default_factory=OrderedDict)  # whether an upload's last request came whole

    def goes_on(self, upload_id: str, offset: int, protocol: str) -> None:
        """A request brings bytes from `offset` on."""
        if offset > 0 and not self._whole.get(upload_id, False):
            self.resumed.add(protocol)

    def came(self, upload_id: str, protocol: str, whole: bool) -> None:
        """Its bytes, or it broke off."""
        if not whole:
            self.broken.add(protocol)
        self._whole[upload_id] = whole
        self._whole.move_to_end(upload_id)
        if len(self._whole) > REMEMBERED:
            self._whole.popitem(last=False)

    def over(self, protocol: str, how: str, upload_id: str = "") -> None:
        self.ended.add(protocol, how)
        self._whole.pop(upload_id, None)
