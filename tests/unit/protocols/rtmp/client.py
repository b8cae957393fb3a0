"""A publisher in a hundred lines, without sockets: every method returns bytes to send to the server.

It compresses headers as ffmpeg does, or puts everything on chunk stream 4 as OBS does, and reads answers with
the server's own chunk reader. `AVC_CONFIG`, `AAC_CONFIG`, `avc()` and `aac()` make payloads of messages 9 and 8.
"""

from dataclasses import dataclass, field

from server.formats.amf0 import EcmaArray, Value, decode, encode
from server.protocols.rtmp.chunk import ChunkReader, basic_header
from server.protocols.rtmp.handshake import PACKET, VERSION
from server.protocols.rtmp.message import AUDIO, COMMAND, DATA, SET_CHUNK_SIZE, VIDEO, Message

# What ffmpeg's x264 writes for 64×36, baseline; AAC-LC, 44.1 kHz, mono.
AVCC = bytes.fromhex("0142c00affe100176742c00ada11fe7c044000000300400000300283c489a801000468ce0fc8")
AVC_CONFIG = b"\x17\x00\x00\x00\x00" + AVCC
AAC_CONFIG = bytes.fromhex("af00120856e500")


def avc(data: bytes, key: bool = False, cts_ms: int = 0) -> bytes:
    return (b"\x17" if key else b"\x27") + b"\x01" + cts_ms.to_bytes(3, "big", signed=True) + data


def aac(data: bytes) -> bytes:
    return b"\xaf\x01" + data


def split(
    chunk_stream: int, kind: int, time: int, message: tuple[int, int, bytes], size: int, repeat: bool = True
) -> list[bytes]:
    """The chunks of a message (type, stream id, payload); `time` is the header's field, delta or not.

    `repeat`: type 3 chunks repeat the extended timestamp.
    """
    type_, stream_id, payload = message
    extended = time.to_bytes(4, "big") if time >= 0xFFFFFF else b""
    fields = (
        min(time, 0xFFFFFF).to_bytes(3, "big"),
        len(payload).to_bytes(3, "big") + bytes((type_,)),
        stream_id.to_bytes(4, "little"),
    )
    first = basic_header(kind, chunk_stream) + b"".join(fields[: 3 - kind]) + extended
    more = basic_header(3, chunk_stream) + (extended if repeat else b"")
    bodies = [payload[at : at + size] for at in range(0, len(payload), size)] or [b""]
    return [(first if index == 0 else more) + body for index, body in enumerate(bodies)]


@dataclass
class _Last:
    stream_id: int
    time: int
    delta: int
    type: int
    length: int


@dataclass
class Client:
    """One connection, from its first byte."""

    obs: bool = False
    """Send as OBS does: one chunk stream, types 0 and 1 only."""
    chunk_size: int = 128
    reader: ChunkReader = field(default_factory=ChunkReader)
    _last: dict[int, _Last] = field(default_factory=dict)
    _received: bytes = b""
    _transaction: int = 0

    # -- what a publisher says, in order

    def hello(self) -> bytes:
        """C0, C1 and C2 at once: no server minds that C2 comes early."""
        return bytes((VERSION,)) + bytes(2 * PACKET)

    def connect(self, app: str = "live", **properties: Value) -> bytes:
        known: dict[str, Value] = {"app": app, "type": "nonprivate", "flashVer": "FMLE/3.0 (compatible; test)"}
        self._transaction = 0  # connect's is 1
        return self.command("connect", known | properties)

    def prepare(self, key: str, chunk_size: int = 4096) -> bytes:
        """All between connect and publish; 4096 is what OBS sets, ffmpeg takes over the server's."""
        return (
            self.set_chunk_size(chunk_size)
            + self.command("releaseStream", None, key)
            + self.command("FCPublish", None, key)
            + self.command("createStream", None)
        )

    def publish(self, key: str) -> bytes:
        return self.command("publish", None, key, "live", stream_id=1)

    def until_publish(self, key: str, app: str = "live") -> bytes:
        return self.hello() + self.connect(app) + self.prepare(key) + self.publish(key)

    def metadata(self, **properties: Value) -> bytes:
        return self.send(4, DATA, 1, 0, encode("@setDataFrame", "onMetaData", EcmaArray(properties)))

    def video(self, time: int, payload: bytes) -> bytes:
        return self.send(6, VIDEO, 1, time, payload)

    def audio(self, time: int, payload: bytes) -> bytes:
        return self.send(4, AUDIO, 1, time, payload)

    def end(self, key: str) -> bytes:
        return self.command("FCUnpublish", None, key) + self.command("deleteStream", None, 1)

    # -- the pieces

    def command(self, name: str, *values: Value, stream_id: int = 0) -> bytes:
        self._transaction += 1
        payload = encode(name, self._transaction, *values)
        return self.send(8 if stream_id else 3, COMMAND, stream_id, 0, payload)

    def set_chunk_size(self, size: int) -> bytes:
        data = self.send(2, SET_CHUNK_SIZE, 0, 0, size.to_bytes(4, "big"))
        self.chunk_size = size
        return data

    def send(self, chunk_stream: int, type_: int, stream_id: int, time: int, payload: bytes) -> bytes:
        """Any message, with the shortest header its chunk stream allows."""
        if self.obs and stream_id:
            chunk_stream = 4
        last = self._last.get(chunk_stream)
        kind, field_ = 0, time
        if last is not None and last.stream_id == stream_id and time >= last.time:
            kind, field_ = 1, time - last.time
            if not self.obs and (last.type, last.length) == (type_, len(payload)):
                kind = 3 if field_ == last.delta else 2
        self._last[chunk_stream] = _Last(stream_id, time, field_, type_, len(payload))
        return b"".join(split(chunk_stream, kind, field_, (type_, stream_id, payload), self.chunk_size))

    # -- what the server says

    def receive(self, data: bytes) -> list[Message]:
        """Messages of the server; its half of the handshake is taken off the front."""
        start = 1 + 2 * PACKET
        before = len(self._received)
        self._received += data
        return list(self.reader.receive(self._received[max(before, start) :]))

    def answers(self, data: bytes) -> list[list[Value]]:
        """The values of each command of the server."""
        return [decode(message.payload) for message in self.receive(data) if message.type == COMMAND]
