"""An encoder on a real loopback socket, as publishers send."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.formats.amf0 import Value, decode
from server.protocols.rtmp.message import COMMAND, MEDIA_TYPES, Message
from tests.unit.ingest.conftest import KEY, until
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, Client, aac, avc

SORENSON = b"\x22" + bytes(20)  # a codec that is not taken
PICTURE = (30).to_bytes(4, "big") + b"\x65" + bytes(29)


class Encoder:
    """A publisher or a player over a socket; `said` holds the server's commands as they come, `seen` its media."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = Client()
        self.said: list[list[Value]] = []
        self.seen: list[Message] = []
        self.ended = False
        self.reset = False
        self.writer = writer
        self._reader = reader
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    @asynccontextmanager
    async def connect(cls, port: int | None, context: ssl.SSLContext | None = None) -> AsyncIterator["Encoder"]:
        encoder = cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context))
        try:
            yield encoder
        finally:
            encoder._reading.cancel()
            encoder.writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await encoder.writer.wait_closed()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                for message in self.client.receive(data):
                    if message.type == COMMAND:
                        self.said.append(decode(message.payload))
                    elif message.type in MEDIA_TYPES:
                        self.seen.append(message)
            self.ended = True
        except ConnectionError:
            self.ended = self.reset = True

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def publish(self, key: str = KEY) -> str:
        """Up to the server's word on it: its code."""
        self.send(self.client.until_publish(key))
        return await self.status()

    async def play(self, name: str) -> str:
        """As a player asks: the server's last word on it."""
        client = self.client
        self.send(client.hello() + client.connect() + client.command("createStream", None))
        self.send(client.command("play", None, name, stream_id=1))
        await until(lambda: any(status["code"] != "NetStream.Play.Reset" for status in self.statuses))
        return str(self.statuses[-1]["code"])

    async def status(self) -> str:
        await until(lambda: self.statuses)
        return str(self.statuses[-1]["code"])

    @property
    def statuses(self) -> list[dict[str, Value]]:
        return [said[3] for said in self.said if said[0] == "onStatus" and isinstance(said[3], dict)]

    @property
    def told(self) -> str:
        """What the encoder's user reads."""
        return str(self.statuses[-1]["description"])

    def media(self, seconds: float = 1.0, start_ms: int = 0) -> None:
        self.send(self.client.video(start_ms, AVC_CONFIG) + self.client.audio(start_ms, AAC_CONFIG))
        for index in range(round(seconds * 25)):
            at_ms = start_ms + index * 40
            self.send(self.client.video(at_ms, avc(PICTURE, key=index % 25 == 0)))
            self.send(self.client.audio(at_ms, aac(b"\x21")))

    def abort(self) -> None:
        """As a crash of the encoder, or a cable: no word."""
        self.writer.transport.abort()
