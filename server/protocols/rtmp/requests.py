"""What a client asks of a server, and in which order; client.py knows when."""

from collections.abc import Mapping, Sequence
from typing import Final

from server.formats.amf0 import Value, encode
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.client_events import Purpose
from server.protocols.rtmp.link import WINDOW, Link
from server.protocols.rtmp.message import DATA, USER_CONTROL, WINDOW_SIZE, Message, control
from server.protocols.rtmp.url import RtmpUrl

AGENT = "FMLE/3.0 (compatible; Sluice)"  # servers give encoders more freedom than players
OUT_CHUNK_SIZE = 4096  # what encoders use: some servers take no more
BUFFER_MS = 1000  # what a player says it keeps

CONNECT: Final = 1.0  # transaction numbers
CREATE: Final = 4.0
START: Final = 5.0
_RELEASE, _PREPARE = 2.0, 3.0
_ANY = -2000.0  # `start` of play: live where there is one (the specification, 7.2.2.1, has -2; players send it so)
_SET_BUFFER_LENGTH = (3).to_bytes(2, "big")


class Requests:
    """`stream_id` is the message stream that the server gave."""

    def __init__(self, link: Link, url: RtmpUrl, purpose: Purpose, fourccs: Sequence[str]) -> None:
        """`fourccs` are the codecs of Enhanced RTMP that will be sent; a player asks for all that are read."""
        self.stream_id = commands.MESSAGE_STREAM
        self._link = link
        self._url = url
        self._publishes = purpose is Purpose.PUBLISH
        self._fourccs = fourccs if self._publishes else (*commands.VIDEO_FOURCCS, *commands.AUDIO_FOURCCS)

    def connect(self) -> None:
        properties: dict[str, Value] = {
            "app": self._url.app,
            "type": "nonprivate",
            "flashVer": AGENT,
            "tcUrl": self._url.tc_url,
        }
        if not self._publishes:
            properties |= {"fpad": False, "capabilities": 15.0, "audioCodecs": 4071.0, "videoCodecs": 252.0}
        if self._fourccs:
            properties |= {"fourCcList": list(self._fourccs), "capsEx": float(commands.CAPS_EX)}
        self._link.command(encode("connect", CONNECT, properties))

    def create_stream(self) -> None:
        if self._publishes:
            self._link.announce_chunk_size(OUT_CHUNK_SIZE)
            self._link.command(encode("releaseStream", _RELEASE, None, self._url.name))
            self._link.command(encode("FCPublish", _PREPARE, None, self._url.name))
        else:
            self._link.control(control(WINDOW_SIZE, WINDOW))
        self._link.command(encode("createStream", CREATE, None))

    def start(self) -> None:
        if self._publishes:
            self._link.command(encode("publish", START, None, self._url.name, "live"), self.stream_id)
            return
        self._link.command(encode("play", START, None, self._url.name, _ANY), self.stream_id)
        length = self.stream_id.to_bytes(4, "big") + BUFFER_MS.to_bytes(4, "big")
        self._link.control(Message(USER_CONTROL, 0, 0, _SET_BUFFER_LENGTH + length))

    def stop(self) -> None:
        if self._publishes:
            self._link.command(encode("FCUnpublish", 0, None, self._url.name))
        self._link.command(encode("deleteStream", 0, None, self.stream_id))

    def metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData of what is published."""
        self._link.media(DATA, self.stream_id, 0, encode("@setDataFrame", "onMetaData", dict(properties)))
