"""Whole connections as peers send them, from C0 to the last byte: one table for decoding, splitting and fuzzing.

`ffmpeg_5_1.bin` was recorded: ffmpeg 5.1.6, 2 s of 64×36 H.264 at 5 frames a second and silent AAC, published
as live/KEY?token=x. The others are written as those encoders, or the specification, put their bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.formats.amf0 import encode
from server.protocols.rtmp.message import (
    ABORT,
    AGGREGATE,
    AUDIO,
    COMMAND_AMF3,
    DATA_AMF3,
    SET_CHUNK_SIZE,
    VIDEO,
    WINDOW_SIZE,
)
from tests.unit.protocols.rtmp.client import AAC_CONFIG, AVC_CONFIG, Client, aac, avc, split

HANDSHAKE = 1 + 2 * 1536
BIG = bytes(range(256)) * 40  # more than two chunks of 4096


@dataclass(frozen=True)
class Session:
    """`media` is what a server is to see: (kind, timestamp, length) of each message."""

    data: bytes
    media: tuple[tuple[int, int, int], ...] | None = None

    @property
    def chunks(self) -> bytes:
        return self.data[HANDSHAKE:]


def _obs() -> Session:
    client = Client(obs=True)
    data = client.hello()
    data += client.connect(supportsGoAway=True, swfUrl="rtmp://host/live", tcUrl="rtmp://host/live")
    data += client.prepare("KEY") + client.publish("KEY")
    data += client.metadata(encoder="obs-output module (libobs version 29.0.2)", videocodecid=7.0)
    data += client.audio(0, AAC_CONFIG) + client.video(0, AVC_CONFIG)
    media = [(AUDIO, 0, len(AAC_CONFIG)), (VIDEO, 0, len(AVC_CONFIG))]
    for frame in range(6):
        video, audio = avc(BIG, key=frame == 0, cts_ms=33), aac(bytes(40))
        data += client.audio(frame * 33, audio) + client.video(frame * 33, video)
        media += [(AUDIO, frame * 33, len(audio)), (VIDEO, frame * 33, len(video))]
    return Session(data + client.end("KEY"), tuple(media))


def _enhanced_connect() -> Session:
    client = Client()
    data = client.hello() + client.connect(
        fourCcList=["hvc1", "av01", "vp09"],
        capsEx=15.0,
        videoFourCcInfoMap={"*": 1.0, "avc1": 7.0},
        audioFourCcInfoMap={"Opus": 1.0},
    )
    payload = b"\x90avc1" + AVC_CONFIG[5:]
    data += client.prepare("KEY") + client.publish("KEY") + client.video(0, payload)
    return Session(data, ((VIDEO, 0, len(payload)),))


def _long_running() -> Session:
    """Past 2^24 ms (4 h 39 m) and past 2^32 ms, with messages of several chunks."""
    client = Client()
    data = client.until_publish("KEY")
    media = []
    for time in (16_777_182, 16_777_215, 16_777_248, 4_294_967_280):
        data += client.video(time, avc(BIG)) + client.audio(time, aac(b"1234"))
        media += [(VIDEO, time, len(BIG) + 5), (AUDIO, time, 6)]
    wrapped = avc(BIG)
    data += b"".join(split(6, 1, 33, (VIDEO, 1, wrapped), client.chunk_size))
    return Session(data, (*media, (VIDEO, 17, len(wrapped))))


def _long_running_old_flash() -> Session:
    """Type 3 chunks that do not repeat the extended timestamp."""
    client = Client()
    data = client.until_publish("KEY")
    payload = avc(BIG)
    for time in (16_777_215, 20_000_000):
        data += b"".join(split(6, 0, time, (VIDEO, 1, payload), 4096, repeat=False))
    return Session(data, ((VIDEO, 16_777_215, len(payload)), (VIDEO, 20_000_000, len(payload))))


def _interleaved() -> Session:
    """Audio between the chunks of a picture, on wide chunk stream ids; then a chunk size that changes inside."""
    client = Client()
    data = client.until_publish("KEY")
    picture, sound = avc(BIG), aac(bytes(5000))
    pictures = split(65599, 0, 40, (VIDEO, 1, picture), 4096)
    sounds = split(319, 0, 41, (AUDIO, 1, sound), 4096)
    data += pictures[0] + sounds[0] + pictures[1] + sounds[1] + pictures[2]
    data += pictures[0] + client.set_chunk_size(100_000) + split(65599, 3, 0, (0, 0, picture[4096:]), 100_000)[0]
    media = ((AUDIO, 41, len(sound)), (VIDEO, 40, len(picture)), (VIDEO, 40, len(picture)))
    return Session(data, media)


def _aborted() -> Session:
    client = Client()
    data = client.until_publish("KEY") + split(6, 0, 0, (VIDEO, 1, avc(BIG)), 4096)[0]
    data += client.send(2, ABORT, 0, 0, (6).to_bytes(4, "big"))
    data += client.video(40, avc(b"whole"))
    return Session(data, ((VIDEO, 40, 10),))


def _aggregate() -> Session:
    client = Client()
    tags = [(9, 1000, avc(b"one")), (8, 1020, aac(b"two")), (18, 1020, encode("x")), (9, 1040, avc(b"three"))]
    body = b"".join(
        bytes((kind,)) + len(tag).to_bytes(3, "big") + time.to_bytes(3, "big") + bytes(4) + tag
        + (len(tag) + 11).to_bytes(4, "big")
        for kind, time, tag in tags
    )
    data = client.until_publish("KEY") + client.send(5, AGGREGATE, 1, 500, body)
    return Session(data, ((VIDEO, 500, 8), (AUDIO, 520, 5), (VIDEO, 540, 10)))


def _odd_messages() -> Session:
    """AMF3 in commands and data, broken data, empty media, pings, windows: none of it is an error."""
    client = Client()
    data = client.hello()
    data += client.send(3, COMMAND_AMF3, 0, 0, b"\0" + encode("connect", 1, {"app": "live"}))
    data += client.send(2, WINDOW_SIZE, 0, 0, (100_000).to_bytes(4, "big"))
    data += client.prepare("KEY") + client.publish("KEY")
    data += client.send(2, 4, 0, 0, b"\0\x06\0\0\0\x2a") + client.send(2, 4, 0, 0, b"\0\x03" + bytes(8))
    data += client.send(4, DATA_AMF3, 1, 0, b"\0\x02\0\x0aonMetaData\x11\x0a\x0b\x01")
    data += client.send(4, 18, 1, 0, b"\x02\xff\xffbroken") + client.audio(0, b"") + client.audio(5, aac(b"x"))
    data += client.send(7, SET_CHUNK_SIZE, 0, 0, (1).to_bytes(4, "big")) + split(6, 0, 7, (VIDEO, 1, avc(b"y")), 1)[0]
    data += b"".join(split(6, 0, 7, (VIDEO, 1, avc(b"y")), 1)[1:])
    return Session(data, ((AUDIO, 5, 3), (VIDEO, 7, 6)))


SESSIONS: Mapping[str, Session] = {
    "ffmpeg 5.1": Session((Path(__file__).parent / "ffmpeg_5_1.bin").read_bytes()),
    "OBS 29": _obs(),
    "enhanced connect": _enhanced_connect(),
    "past 4 h 39 m": _long_running(),
    "past 4 h 39 m, old Flash": _long_running_old_flash(),
    "interleaved": _interleaved(),
    "aborted": _aborted(),
    "aggregate": _aggregate(),
    "odd messages": _odd_messages(),
}
