"""A broadcast's one timer, and what its publisher may still do."""

from dataclasses import dataclass, field

import pytest

from server.ingest.on_air import OnAir, Publisher
from server.packager.live import LivePackager, LiveSettings
from server.storage.layout import Layout
from server.storage.segments import SegmentStore
from server.stream.stream import Stream
from tests.unit.ingest.conftest import FakeConnection, send


@dataclass
class FakeLifeCycle:
    """What it is told; a broadcast that went live is live."""

    told: list[str] = field(default_factory=list)

    def went_live(self, publisher: Publisher) -> None:
        publisher.stage.state = "live"
        self.told.append("live")

    def lost(self, publisher: Publisher, reason: str, ended: bool) -> None:
        publisher.stage.publisher = None
        self.told.append(f"{'ended' if ended else 'lost'}: {reason}")

    def rejected(self, publisher: Publisher, reason: str) -> None:
        self.told.append(f"rejected: {reason}")

    def may_take_over(self, publisher: Publisher) -> bool:
        self.told.append("asked")
        return False


@dataclass
class FakeTimer:
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def on_air(tmp_path) -> OnAir:
    stream = Stream("br1")
    store = SegmentStore(Layout(tmp_path))  # its thread doesn't run: nothing is written
    packager = LivePackager("li1", "br1", LiveSettings.of("low"), store)
    stream.attach(packager)
    stream.begin(0)
    return OnAir(
        live_stream_id="li1", broadcast_id="br1", state="connecting", reconnect_window_s=60, stream=stream,
        packager=packager,
    )  # fmt: skip


@pytest.fixture
def life_cycle() -> FakeLifeCycle:
    return FakeLifeCycle()


@pytest.fixture
def publisher(on_air: OnAir, life_cycle: FakeLifeCycle) -> Publisher:
    on_air.publisher = Publisher(life_cycle, on_air, FakeConnection())
    return on_air.publisher


def test_there_is_one_timer_at_a_time(on_air: OnAir) -> None:
    first, second = FakeTimer(), FakeTimer()

    on_air.rearm(first)  # type: ignore[arg-type]
    on_air.rearm(second)  # type: ignore[arg-type]
    assert (first.cancelled, second.cancelled) == (True, False)
    on_air.rearm(None)
    assert second.cancelled
    assert on_air.timer is None


def test_it_is_live_once_with_the_first_key_frame(publisher: Publisher, life_cycle: FakeLifeCycle) -> None:
    publisher.video(0, 0, False, bytes(40))
    assert life_cycle.told == []

    send(publisher, 5)

    assert life_cycle.told == ["live"]


def test_sound_beside_announced_pictures_does_not_make_it_live(
    publisher: Publisher, life_cycle: FakeLifeCycle
) -> None:
    send(publisher, 0)
    publisher.audio(0, b"\x21")

    assert life_cycle.told == []


def test_a_publisher_says_goodbye_once(publisher: Publisher, life_cycle: FakeLifeCycle) -> None:
    assert publisher.current
    publisher.closed("the connection was lost", ended=False)
    publisher.closed("again", ended=True)
    publisher.rejected("its codec")

    assert life_cycle.told == ["lost: the connection was lost"]
    assert not publisher.current
    assert (publisher.live_stream_id, publisher.broadcast_id) == ("li1", "br1")


def test_who_is_no_publisher_any_more_writes_nothing(on_air: OnAir, publisher: Publisher) -> None:
    on_air.publisher = None

    send(publisher, 2)

    assert on_air.stream.statistics.video_frames == on_air.stream.statistics.audio_frames == 0
    assert not on_air.stream.has_video
