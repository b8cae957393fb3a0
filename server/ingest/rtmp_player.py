"""A player's RTMP connection as the output of a `FlvReader`."""

import asyncio
from collections.abc import Callable, Mapping

from server.formats.amf0 import Value
from server.protocols.rtmp.connection import Connection as Core


class PlayerOutput:
    """An RTMP connection as Output; every message goes out at once."""

    def __init__(
        self, core: Core, transport: asyncio.Transport, flush: Callable[[], None], over: Callable[[str], None]
    ) -> None:
        self._core = core
        self._flush = flush
        self.behind = transport.get_write_buffer_size
        self.over = over

    def metadata(self, properties: Mapping[str, Value]) -> None:
        self._core.send_metadata(properties)
        self._flush()

    def media(self, kind: int, timestamp_ms: int, payload: bytes) -> None:
        self._core.send_media(kind, timestamp_ms, payload)
        self._flush()
