"""What a transcoder has been sent and not looked at yet. Filled by one thread, emptied by another."""

import threading
from collections import deque

from server.media.wire import Config, Message, Unit

MAX_BYTES = 32 << 20  # two seconds at 128 Mbit/s
MAX_S = 5  # of media: more than a machine that is busy for a moment falls behind


class Inbox:
    """`put` waits while it is full, so that the socket fills and the sender, who is never held up, leaves out pictures
    up to a key frame."""

    def __init__(self) -> None:
        self.newest = 0  # decode time of the last picture put, ticks
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._most = 0  # ticks
        self._closed = False
        self._changed = threading.Condition()

    def put(self, message: Message) -> None:
        with self._changed:
            while self._full() and not self._closed:
                self._changed.wait()
            if isinstance(message, Config):
                self._most = MAX_S * int(message.facts.get("timescale", 1))
            elif isinstance(message, Unit):
                self.newest = message.dts
                self._bytes += len(message.data)
            self._messages.append(message)
            self._changed.notify_all()

    def take(self) -> Message | None:
        """The oldest message, waited for; None after the last one."""
        with self._changed:
            while not self._messages and not self._closed:
                self._changed.wait()
            if not self._messages:
                return None
            message = self._messages.popleft()
            if isinstance(message, Unit):
                self._bytes -= len(message.data)
            self._changed.notify_all()
            return message

    def close(self) -> None:
        """Nothing more is put; what is there can be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _full(self) -> bool:
        oldest = next((message.dts for message in self._messages if isinstance(message, Unit)), None)
        return self._bytes > MAX_BYTES or (oldest is not None and self.newest - oldest > self._most)
