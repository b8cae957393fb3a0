"""What comes before the acceptance is kept up to a limit, and handed on once."""

from server.protocols.rtmp.early import Early
from server.protocols.rtmp.events import VIDEO, Media


def test_kept_in_order_and_taken_once() -> None:
    early, events = Early(10), [Media(VIDEO, at, b"x" * 5) for at in (0, 40)]

    assert all(early.keep(event, 5) for event in events)
    assert bool(early)
    assert early.take() == events
    assert not early
    assert early.take() == []


def test_too_much_is_not_kept_nor_what_follows() -> None:
    early = Early(10)

    assert early.keep(Media(VIDEO, 0, b"x" * 8), 8)
    assert not early.keep(Media(VIDEO, 40, b"x" * 3), 3)
    assert not early.keep(Media(VIDEO, 80, b"x"), 1)  # a stream with a hole is of no use
    assert len(early.take()) == 1


def test_cleared() -> None:
    early = Early(10)
    early.keep(Media(VIDEO, 0, b"x"), 1)
    early.clear()

    assert early.take() == []
