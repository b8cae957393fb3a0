from dataclasses import FrozenInstanceError

import pytest

from server.protocols.rtmp.events import VIDEO, Closed, Media, Metadata, PublishEnded, PublishRequested


def test_the_key_is_not_in_the_text_of_a_request() -> None:
    text = repr(PublishRequested("live", "SECRET", "token=SECRET"))

    assert text == "PublishRequested(app='live')"
    assert f"{PublishRequested('live', 'SECRET', '')}" == text


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (PublishRequested("live", "k", ""), "key"),
        (Media(VIDEO, 0, b"x"), "payload"),
        (Metadata({}), "properties"),
        (PublishEnded("deleteStream"), "reason"),
        (Closed("why", True), "flush"),
    ],
)
def test_events_do_not_change(event: object, name: str) -> None:
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(event, name, None)
