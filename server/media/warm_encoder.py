"""A child that stays, to encode segments of one source as they are asked for: the next one starts at once."""

import asyncio
import base64
import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from server.media.child import SPARES, ChildFailed, Children, Limits
from server.media.encoding import MAX_BYTES_PER_S, MEMORY_BYTES, URGENT_NICE
from server.media.orders import Described, PictureOrder, Reading, Segment
from server.media.problems import MediaProblem

MODULE = "server.media.encode_on_request"
# One order; a segment of 8K at 60 pictures a second takes about as long on a core that is shared.
ORDER_S = 120.0
# A child that has made so many is followed by a fresh one, whatever libraries have kept.
MOST_ORDERS = 500
LINES_OF_ORDER = 40  # of sixteen renditions: described, made, and the end
LIFE_S = 6 * 3600.0
LARGEST_S = 20.0  # of a segment, for the size of its file
LIMITS = Limits(
    memory_bytes=MEMORY_BYTES,
    cpu_s=int(MOST_ORDERS * ORDER_S),
    file_bytes=int(LARGEST_S * MAX_BYTES_PER_S),
    files=128,
    nice=URGENT_NICE,
)


@dataclass(slots=True)
class Answer:
    """What came of an order: segments and their descriptions by rendition."""

    described: dict[str, Described] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    skipped: int = 0  # pictures that were decoded to come to the first
    problem: MediaProblem | None = None


class WarmEncoder:
    """One order at a time; `end` lets it go. Descriptors are taken over: they are closed when the child has ended."""

    def __init__(
        self, children: Children, source: int, index: int | None, reading: Reading, watermark: int | None = None
    ) -> None:
        """It is started at once; that it can't be is told by `make`."""
        self.position = -1  # where the next segment would be, if it follows
        self.orders = 0
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._theirs = theirs
        self._answer = Answer()
        self._answered: asyncio.Future[Answer] | None = None
        self._failure = ChildFailed("crashed", "it has ended")
        self._fds = [each for each in (source, index, watermark) if each is not None]
        arguments = {
            "source": source,
            "index": index,
            "watermark": watermark,
            "orders": theirs.fileno(),
            "reading": asdict(reading),
        }
        self._life = asyncio.ensure_future(self._live(children, arguments))

    @property
    def usable(self) -> bool:
        """Whether it takes another order."""
        return not self._life.done() and self.orders < MOST_ORDERS and self._ours.fileno() >= 0

    async def make(self, order: PictureOrder, outputs: Mapping[str, int]) -> Answer:
        """Appends each rendition's segments to its output. Cancelling ends the child. Raises ChildFailed."""
        if not self.usable:
            raise self._failure
        self._answer, self._answered = Answer(), asyncio.get_running_loop().create_future()
        self.orders += 1
        told = json.dumps({"order": order.to_json(), "outputs": list(outputs)}).encode()
        try:
            socket.send_fds(self._ours, [told], list(outputs.values()))
            answer = await asyncio.wait_for(self._answered, ORDER_S)
        except (TimeoutError, OSError) as error:
            self.kill()
            raise ChildFailed("timeout", f"an order was not done: {error}") from None
        except asyncio.CancelledError:
            self.kill()
            raise
        finally:
            self._answered = None
        self.position = order.cuts[-1]
        return answer

    def end(self) -> None:
        """No more orders."""
        self._ours.close()

    def kill(self) -> None:
        self.end()
        self._life.cancel()

    async def ended(self) -> None:
        """After `end` or `kill`: until the child is gone."""
        await asyncio.wait([self._life])

    async def _live(self, children: Children, arguments: dict[str, Any]) -> None:
        fds = [*self._fds, self._theirs.fileno()]
        lines = MOST_ORDERS * LINES_OF_ORDER
        try:
            await children.run(MODULE, arguments, fds, LIMITS, LIFE_S, self._line, lines, SPARES)
        except ChildFailed as failure:
            self._failure = failure
        finally:
            self._ours.close()
            self._theirs.close()
            for descriptor in self._fds:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
            if self._answered is not None and not self._answered.done():
                self._answered.set_exception(self._failure)

    def _line(self, event: dict[str, Any]) -> None:
        kind, answer = event.pop("event"), self._answer
        if kind == "described":
            init, look = base64.b64decode(event["init"]), tuple(event.get("look", ()))
            answer.described[event["rendition"]] = Described(**{**event, "init": init, "look": look})
        elif kind == "segment":
            answer.segments[event["rendition"]] = Segment(**event)
        elif kind in ("made", "problem"):
            if kind == "problem":
                answer.problem = MediaProblem(event["code"], event["detail"])
            answer.skipped = event.get("skipped", 0)
            if self._answered is not None and not self._answered.done():
                self._answered.set_result(answer)
