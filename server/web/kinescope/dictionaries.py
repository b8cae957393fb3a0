"""Lists of the world's own: time zones."""

import asyncio
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from server import clock
from server.web.kinescope.identifiers import kinescope_operations
from server.web.kinescope.shapes import All, Answer
from server.web.typed import Call

operations = kinescope_operations("Dictionaries")


class TimezoneAnswer(Answer):
    name: str
    offset: int  # seconds ahead of UTC, now


@operations.get("/v1/dictionaries/timezones", "List time zones", scope="account:read")
async def list_timezones(call: Call) -> All[TimezoneAnswer]:
    """By their names."""
    zones = await asyncio.to_thread(_zones)  # they are files
    now = clock.now()
    return All(data=[TimezoneAnswer(name=zone.key, offset=_offset(zone, now)) for zone in zones])


@cache
def _zones() -> list[ZoneInfo]:
    return [ZoneInfo(name) for name in sorted(available_timezones())]


def _offset(zone: ZoneInfo, now: datetime) -> int:
    offset = now.astimezone(zone).utcoffset()
    return round(offset.total_seconds()) if offset is not None else 0
