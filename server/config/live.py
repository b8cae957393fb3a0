"""`[live]`: live streams and their recordings."""

from typing import Literal

from pydantic import Field

from server.config.section import LONGEST_DAYS, Section

LatencyMode = Literal["ultra-low", "low", "reduced", "standard"]
LiveEncoder = Literal["libx264", "auto", "h264_nvenc", "h264_qsv", "h264_vaapi", "h264_videotoolbox"]


class LiveConfig(Section):
    latency_mode: LatencyMode = Field(
        "low", description="Mode of new live streams: ultra-low 0.2 s parts, low 0.33, reduced 1, standard none."
    )
    segment_s: float = Field(2.0, ge=1, le=10, description="Wanted length of a live segment, seconds.")
    dvr_window_s: int = Field(1800, ge=30, description="How far back a viewer of a live stream can seek, seconds.")
    reconnect_window_s: int = Field(
        60, ge=0, le=1800, description="Seconds that a lost publisher may take to go on in the same broadcast."
    )
    max_ladders: int = Field(
        2, ge=0, le=64, description="Live streams transcoded at once; more of them are shown as they come."
    )
    ladder_nice: int = Field(
        5, ge=0, le=19, description="How much the transcoding of live streams gives way to others."
    )
    encoder: LiveEncoder = Field(
        "libx264", description="Encoder of lower live renditions; auto takes hardware that works, else libx264."
    )
    max_restreams: int = Field(5, ge=0, le=50, description="Targets that one live stream may be restreamed to.")
    private_addresses: bool = Field(
        True, description="Whether targets of restreaming and pulled sources may be in private networks."
    )
    retention_days: float | None = Field(
        None,
        gt=0,
        le=LONGEST_DAYS,
        description="Recordings older than this are deleted; rules of the API go before it.",
    )
    retention_count: int | None = Field(
        None, ge=1, description="So many recordings of a live stream are kept, the newest."
    )
    retention_bytes: int | None = Field(
        None, ge=1, description="Recordings of a live stream are kept up to so many bytes, the newest."
    )
    retention_keep_tags: list[str] = Field(
        [], description="Recordings with one of these tags are kept, whatever the rule."
    )
