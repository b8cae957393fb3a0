"""The child that encodes segments when they are asked for, one order after the other, of one source.

    arguments  {"source": fd, "index": fd or null, "watermark": fd or null, "reading": Reading, "orders": fd}
    orders     a datagram each: {"order": PictureOrder, "outputs": names of renditions}, with a descriptor for each
    events     as those of `encode`; an order ends with
               {"event": "made", "pictures", "skipped"}
               {"event": "problem", "code", "detail"}      nothing can be made of it; the next one may be better

It ends when the other end of `orders` is closed. Each segment has an encoder of its own, so that its bytes do not
depend on what was made before it; the decoder goes on where it is when the next segment is asked for.
"""

import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import av.logging
from av.error import FFmpegError

from server.media import guard
from server.media.decoding import DecoderError
from server.media.encode import Encoding, NothingDecodes
from server.media.lengths import LengthError
from server.media.orders import TIMESCALE, PictureOrder, Reading
from server.media.pictures import DecodeError
from server.media.reading import Damage, Picture, Source
from server.media.stills import image

MAX_ORDER_BYTES = 64 << 10  # an order is some two thousand
MAX_OUTPUTS = 16
# Further on than this is sought; nearer, decoding what is between costs less than going back to a key frame.
NEAR = TIMESCALE


class Playhead:
    """Where decoding is. What was read beyond the end of a segment is kept for the next one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._ahead: Iterator[Picture] = iter(())
        self._last: list[Picture] = []  # the one on show, and the one after it, which is not shown yet

    def since(self, since: int) -> Iterator[Picture]:
        """As Source.since. One iterator at a time."""
        if not self._last or not self._last[0].pts <= since <= self._last[-1].pts + NEAR:
            self._ahead, self._last = self._source.since(since), []
        kept, self._last = self._last, []
        yield from map(self._seen, kept)
        for picture in self._ahead:
            yield self._seen(picture)

    def lose(self) -> None:
        """Something failed: the next segment is begun at a key frame."""
        self._last = []

    def _seen(self, picture: Picture) -> Picture:
        self._last = [*self._last[-1:], picture]
        return picture


class Maker:
    """Takes orders."""

    def __init__(self, arguments: dict[str, Any], say: guard.Say) -> None:
        source = Source(arguments["source"], arguments["index"], Reading(**arguments["reading"]), Damage())
        self._head = Playhead(source)
        self._watermark = arguments["watermark"]
        self._say = say

    def make(self, order: PictureOrder, outputs: dict[str, int]) -> None:
        try:
            encoding = Encoding(order, outputs, self._say, image(self._watermark))
            encoding.run(self._head.since(order.cuts[0]))
        except (LengthError, DecodeError) as error:
            self._problem("invalid", f"the watermark can't be used: {error}")
        except NothingDecodes:
            self._problem("invalid", "no picture of the segment could be decoded")
        except (FFmpegError, DecoderError) as error:
            self._problem("invalid", f"the pictures could not be read ({error})")
        except RuntimeError as error:
            self._problem("failed", f"the encoder failed: {error}")
        else:
            self._say({"event": "made", "pictures": encoding.pictures, "skipped": encoding.skipped})

    def _problem(self, code: str, detail: str) -> None:
        self._head.lose()
        self._say({"event": "problem", "code": code, "detail": detail})


def work(arguments: dict[str, Any], say: guard.Say) -> None:
    av.logging.set_level(None)
    maker = Maker(arguments, say)
    with socket.socket(fileno=arguments["orders"]) as orders:
        while True:
            data, outputs, _, _ = socket.recv_fds(orders, MAX_ORDER_BYTES, MAX_OUTPUTS)
            if not data:
                return
            told = json.loads(data)
            try:
                maker.make(PictureOrder.of_json(told["order"]), dict(zip(told["outputs"], outputs, strict=True)))
            finally:
                for descriptor in outputs:
                    os.close(descriptor)


if __name__ == "__main__":
    guard.run(work)
