"""What an RTMP encoder says of itself in onMetaData, as far as it can be believed."""

import math
from collections.abc import Mapping

from server.formats.amf0 import Value
from server.ingest.on_air import Facts

MAX_NAME = 80  # characters of an encoder's name
MAX_RATE = 1000.0  # pictures a second
MAX_KBPS = 1e6


def announced(properties: Mapping[str, Value], agent: str, peer: str) -> Facts:
    """`agent` is what its connect command said. Rates are in kbit/s there (FLV 10.1, onMetaData)."""
    encoder = properties.get("encoder")
    rates = [_number(properties.get(name), MAX_KBPS) for name in ("videodatarate", "audiodatarate")]
    return Facts(
        encoder=str(encoder if isinstance(encoder, str) and encoder else agent)[:MAX_NAME],
        peer=peer,
        frame_rate=_number(properties.get("framerate"), MAX_RATE),
        bitrate=sum(rate or 0.0 for rate in rates) * 1000 if rates[0] else None,
    )


def _number(value: Value, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if 0 < value <= most else None
