"""What a server says to publishers and players, and in which order; connection.py knows when."""

from collections.abc import Mapping

from server.formats.amf0 import Value
from server.protocols.rtmp import command as commands
from server.protocols.rtmp.command import Command
from server.protocols.rtmp.limits import Limits
from server.protocols.rtmp.link import WINDOW, Link
from server.protocols.rtmp.message import DATA, WINDOW_SIZE, UserControl, control, peer_bandwidth, user_control

OUT_CHUNK_SIZE = 65536
"""ffmpeg sends with the size we announce: 65536 costs a server 5 % less CPU than 4096."""


class Answers:
    """`stream_id` is the message stream that the peer chose to publish or play in."""

    def __init__(self, link: Link, limits: Limits) -> None:
        self.stream_id = commands.MESSAGE_STREAM
        self._link = link
        self._limits = limits
        self._fc_published: str | None = None  # the name in an FCPublish that onFCPublish has not answered yet

    # -- to commands

    def connected(self, command: Command) -> None:
        self._link.control(control(WINDOW_SIZE, WINDOW))
        self._link.control(peer_bandwidth(WINDOW))
        self._link.announce_chunk_size(OUT_CHUNK_SIZE)
        self._link.command(commands.connected(command))

    def done(self, command: Command) -> None:
        self._link.command(commands.result(command))

    def prepared(self, command: Command) -> None:
        """To FCPublish; the rest of the answer comes with the acceptance."""
        self._fc_published = command.text(0)[: self._limits.name]
        self.done(command)

    def stream_created(self, command: Command) -> None:
        self._link.command(commands.result(command, commands.MESSAGE_STREAM))

    def no_length(self, command: Command) -> None:
        self._link.command(commands.result(command, 0.0))

    def unknown(self, command: Command) -> None:
        self.failed(command, "no such call")

    def failed(self, command: Command, description: str) -> None:
        self._link.command(commands.error(command, commands.CALL_FAILED, description))

    # -- of the stream

    def publish_started(self) -> None:
        if self._fc_published is not None:
            self._link.command(commands.fc_published(self._fc_published))
        self._begin()
        self._status("status", commands.PUBLISH_START, "Publishing.")

    def play_started(self) -> None:
        self._begin()
        self._status("status", commands.PLAY_RESET, "Playing and resetting.")
        self._status("status", commands.PLAY_START, "Playing.")

    def play_over(self, description: str) -> None:
        self._link.control(user_control(UserControl.STREAM_EOF, self.stream_id))
        self._status("status", commands.PLAY_STOP, description)

    def stopped(self, playing: bool) -> None:
        """The peer ended it."""
        self._status("status", commands.PLAY_STOP if playing else commands.UNPUBLISHED, "The stream has ended.")

    def refused(self, code: str, description: str) -> None:
        self._status("error", code, description)

    def metadata(self, properties: Mapping[str, Value]) -> None:
        """onMetaData for a player."""
        self._link.media(DATA, self.stream_id, 0, commands.on_metadata(properties))

    def _begin(self) -> None:
        self._link.control(user_control(UserControl.STREAM_BEGIN, self.stream_id))

    def _status(self, level: str, code: str, description: str) -> None:
        self._link.status(commands.status(level, code, description), self.stream_id)
