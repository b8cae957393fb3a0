"""`[storage]`, `[database]`, `[events]`, `[analytics]`, `[log]`: where things are kept, and for how long."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from server.config.section import GIB, LONGEST_DAYS, Section


class StorageConfig(Section):
    path: Path = Field(Path("data"), description="Data folder: database, uploads, recordings, videos.")
    reserve_bytes: int = Field(
        GIB,
        ge=0,
        description="Free space kept: uploads that would eat into it are refused with 507, and encoding waits.",
    )
    low_water_bytes: int = Field(
        2 * GIB,
        ge=0,
        description="Below this much free space the oldest recordings that a retention rule covers are deleted early.",
    )


class DatabaseConfig(Section):
    url: str | None = Field(
        None, description="SQLAlchemy URL; without it SQLite at <storage.path>/sluice.db.", pattern=r"^\w+(\+\w+)?://"
    )


class EventsConfig(Section):
    keep_days: float = Field(
        90,
        ge=4,
        le=LONGEST_DAYS,
        description="Days that events are kept to be read, longer while a delivery of one is kept; 4 at least, as "
        "an endpoint has three to take one.",
    )


class AnalyticsConfig(Section):
    keep_days: float = Field(
        400,
        ge=1,
        le=LONGEST_DAYS,
        description="Days that playback sessions are kept, and what was watched in them can be asked; plays are "
        "counted for good.",
    )


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    format: Literal["auto", "pretty", "json"] = Field(
        "auto", description="pretty, json, or auto: pretty on a terminal, JSON otherwise."
    )
