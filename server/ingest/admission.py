"""Who may publish: the rows' say, in words for the broadcaster."""

from collections import OrderedDict
from datetime import datetime

from server import clock, log
from server.catalog.models import LiveStream
from server.ingest.on_air import Refused, Stage
from server.ingest.switch import SILENT_S, Role

TAKEN_OVER = "taken over by a new publisher with the same key"

TOLD_AGAIN_S = 60.0  # the same refusal is an event so often at most
REMEMBERED = 1_000  # refusals

_log = log.get("live")


def admitted(live: LiveStream | None, now: datetime) -> LiveStream:
    """Raises Refused."""
    if live is None:
        raise Refused("unknown stream key", "unknown")
    if live.state == "disabled":
        raise Refused("the live stream is disabled", "disabled")
    if live.stops_at is not None and now >= live.stops_at:
        raise Refused(f"the schedule of the live stream was over at {live.stops_at:%Y-%m-%d %H:%M} UTC", "disabled")
    return live


def role_of(live: LiveStream, key: str) -> Role:
    return "backup" if live.backup_key is not None and key == live.backup_key else "primary"


def early(live: LiveStream, now: datetime) -> bool:
    """Whether its schedule begins later: publishers are heard, and not shown yet."""
    return live.starts_at is not None and now < live.starts_at


class Refusals:
    """Which refusals are news: encoders try again every few seconds, and are refused for the same reason."""

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()  # when, by live stream and reason

    def worth_telling(self, live_stream_id: str, reason: str, now: float) -> bool:
        known = (live_stream_id, reason)
        if now - self._told.get(known, -TOLD_AGAIN_S) < TOLD_AGAIN_S:
            return False
        self._told[known] = now
        self._told.move_to_end(known)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return True


def make_room(stage: Stage, role: Role) -> None:
    """For a publisher with this key. Raises Refused while the one who has it is alive."""
    old = next((each for each in stage.publishers if each.role == role), None)
    if old is None:
        return
    if clock.monotonic() - old.connection.last_heard() < SILENT_S:
        raise Refused("the stream key is in use by another publisher", "busy")
    if stage.publisher is old:
        stage.publisher = None
        stage.stream.interrupt()
    else:
        stage.standby = None
    old.connection.close(TAKEN_OVER)
    _log.info("publisher taken over", live_stream=stage.live_stream_id, connection=old.connection.id)
