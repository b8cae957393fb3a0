"""What a child is sent of a stream, and what is left out where it has no room."""

from server.formats.aac import audio_config
from server.formats.sample import Sample, VideoConfig
from server.ladder.feed import MAX_KEPT_BYTES, MAX_PICTURE_BYTES, Feed
from server.media.ladder import Wish
from server.media.wire import Config, Flush, Message, Unit, encode

VIDEO = VideoConfig("avc1.64001f", 90_000, 1280, 720, b"entry")
AUDIO = audio_config(bytes.fromhex("1190"))
FACTS = {
    "timescale": 90_000, "width": 1280, "height": 720, "sar": (1, 1),
    "wishes": [{"height": 480, "width": None, "bitrate": None, "frame_rate": None}],
}  # fmt: skip


class FakeChild:
    def __init__(self) -> None:
        self.writable = True
        self.sent: list[Message] = []

    def send(self, *messages: Message) -> None:
        self.sent += messages

    def took(self) -> list[Message]:
        taken, self.sent = self.sent, []
        return taken


def sample(number: int, *, key: bool = False) -> Sample:
    return Sample(number * 3000, 6000, key, bytes([number]))


def unit(number: int, *, key: bool = False) -> Unit:
    return Unit(0, number * 3000 + 6000, number * 3000, key, bytes([number]))


def fed() -> tuple[Feed, FakeChild]:
    feed, child = Feed(), FakeChild()
    feed.wishes = [Wish(480)]
    feed.connect(child)
    feed.configure("video", VIDEO, 3)
    return feed, child


def test_the_configuration_goes_before_the_first_key_frame() -> None:
    feed, child = fed()
    feed.write("video", sample(0))
    assert child.took() == []
    feed.write("video", sample(1, key=True))
    feed.write("video", sample(2))
    assert child.took() == [Config(0, 3, FACTS, b"entry"), unit(1, key=True), unit(2)]
    assert feed.dropped == 1


def test_only_the_main_pictures_are_sent() -> None:
    feed, child = fed()
    feed.configure("audio", AUDIO, 3)
    feed.configure("video2", VIDEO, 3)
    feed.write("audio", sample(0, key=True))
    feed.write("video2", sample(0, key=True))
    assert child.took() == []
    assert feed.dropped == 0


def test_without_room_pictures_are_left_out_up_to_a_key_frame() -> None:
    feed, child = fed()
    feed.write("video", sample(0, key=True))
    child.took()
    child.writable = False
    for number in (1, 2):
        feed.write("video", sample(number))
    feed.write("video", sample(3, key=True))
    child.writable = True
    feed.write("video", sample(4))
    feed.write("video", sample(5, key=True))
    feed.write("video", sample(6))
    assert child.took() == [unit(5, key=True), unit(6)]
    assert feed.dropped == 4


def test_a_picture_larger_than_a_message_is_left_out_as_if_there_were_no_room() -> None:
    feed, child = fed()
    feed.write("video", sample(0, key=True))
    child.took()
    feed.write("video", Sample(3000, 0, False, bytes(MAX_PICTURE_BYTES + 1)))
    feed.write("video", sample(2))
    feed.write("video", Sample(9000, 0, True, bytes(MAX_PICTURE_BYTES)))
    assert len(child.sent) == 1
    assert encode(child.sent[0])
    assert feed.dropped == 2


def test_another_generation_is_told_and_begins_with_a_key_frame() -> None:
    feed, child = fed()
    feed.write("video", sample(0, key=True))
    feed.configure("video", VIDEO, 4)
    feed.write("video", sample(1))
    feed.write("video", sample(2, key=True))
    assert child.took()[2:] == [Config(0, 4, FACTS, b"entry"), unit(2, key=True)]


def test_a_publisher_that_goes_and_comes_back() -> None:
    feed, child = fed()
    feed.flush()
    assert child.took() == []  # it has nothing
    feed.write("video", sample(0, key=True))
    child.took()
    feed.flush()
    feed.end()
    assert child.took() == [Flush(1)]
    assert feed.flushes == 1
    feed.configure("video", VIDEO, 4)
    feed.write("video", sample(9, key=True))
    assert child.took() == [Config(0, 4, FACTS, b"entry"), unit(9, key=True)]


def test_the_first_pictures_are_kept_for_the_first_child() -> None:
    feed, child = Feed(), FakeChild()
    feed.configure("video", VIDEO, 3)
    for number in range(6):
        feed.write("video", sample(number, key=number in (1, 4)))
    feed.connect(child)
    assert child.took()[1:] == [unit(4, key=True), unit(5)]
    feed.write("video", sample(6))
    assert child.took() == [unit(6)]
    feed.connect(None)
    feed.write("video", sample(7, key=True))
    feed.connect(child)
    assert child.took() == []  # a child that is started again begins with what comes then


def test_what_is_kept_is_bounded() -> None:
    feed, child = Feed(), FakeChild()
    feed.configure("video", VIDEO, 3)
    feed.write("video", Sample(0, 0, True, bytes(MAX_KEPT_BYTES)))
    feed.write("video", sample(1))
    feed.write("video", sample(2))
    feed.connect(child)
    assert child.took() == []


def test_another_child_begins_anew_and_nobody_takes_nothing() -> None:
    feed, child = fed()
    feed.write("video", sample(0, key=True))
    feed.connect(None)
    feed.write("video", sample(1, key=True))
    feed.flush()
    other = FakeChild()
    feed.connect(other)
    feed.write("video", sample(2))
    feed.write("video", sample(3, key=True))
    assert [type(message) for message in other.took()] == [Config, Unit]
    assert [type(message) for message in child.took()] == [Config, Unit]
