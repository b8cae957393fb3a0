"""Media that a publisher sends before it is accepted."""

from server.protocols.rtmp.events import Event


class Early:
    """Encoders wait for Publish.Start; what one sends before it is kept, up to a limit, and handed on then."""

    __slots__ = ("_events", "_limit", "_size")

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes, of all that is ever kept."""
        self._limit = limit
        self._events: list[Event] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    def keep(self, event: Event, size: int) -> bool:
        """False: it would be too much, and is not kept."""
        self._size += size
        if self._size > self._limit:
            return False
        self._events.append(event)
        return True

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def clear(self) -> None:
        self._events.clear()
