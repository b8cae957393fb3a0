"""How far behind live a broadcast is watched, and what else is fixed at its start."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LatencyMode:
    part_s: float  # wanted length of a part
    part_hold_back_s: float | None  # how far from the end players stay; None: without parts


LATENCY_MODES: Mapping[str, LatencyMode] = {
    "ultra-low": LatencyMode(0.2, 0.6),
    "low": LatencyMode(1 / 3, 1.0),
    "reduced": LatencyMode(1.0, 3.0),
    "standard": LatencyMode(1.0, None),  # parts still, to the disk: a crash loses one at most
}


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Of one broadcast; fixed at its start."""

    mode: LatencyMode
    segment_s: float = 2.0  # wanted; they end at key frames
    target_duration_s: int = 4  # EXT-X-TARGETDURATION
    dvr_window_s: float = 1800.0
    record: bool = True  # segments outlive the window

    @classmethod
    def of(
        cls,
        latency_mode: str,
        segment_s: float = 2.0,
        target_duration_s: int = 4,
        dvr_window_s: float = 1800.0,
        record: bool = True,
    ) -> "LiveSettings":
        return cls(LATENCY_MODES[latency_mode], segment_s, target_duration_s, dvr_window_s, record)
