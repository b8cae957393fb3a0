"""`[vod]`: uploads, and what is made of them."""

from typing import Literal

from pydantic import Field, field_validator

from server.config.section import GIB, LONGEST_DAYS, Section


class VodConfig(Section):
    max_upload_bytes: int = Field(30 * GIB, ge=1, description="Largest upload taken, bytes.")
    upload_expiry_s: int = Field(86400, ge=60, description="Seconds after which an idle unfinished upload is swept.")
    early_uploads: int = Field(
        2, ge=0, le=64, description="Uploads that are looked at and packaged while they still come; 0: only whole ones."
    )
    segment_s: float = Field(4.0, ge=2, le=10, description="Wanted length of a video's segment, seconds.")
    image_cache_bytes: int = Field(
        GIB, ge=0, description="Bytes of thumbnails, storyboards and previews kept; the one unused longest goes first."
    )
    images_per_minute: int = Field(
        120, ge=1, description="Thumbnails, storyboards and previews made anew, for each client address."
    )
    renditions: Literal["ladder", "on-demand", "source"] = Field(
        "ladder",
        description="What is made of an upload: a ladder ahead, a ladder segment by segment on-demand, or only what "
        "the source can't be shown without.",
    )
    ladder: list[int] = Field(
        [1080, 720, 480, 360, 240], description="Lines of the renditions, never more than the source has."
    )
    codec: Literal["h264", "hevc", "av1"] = Field(
        "h264", description="Of the ladder's pictures; HEVC and AV1 take fewer bytes, more time, and newer devices."
    )
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"] = Field(
        "veryfast", description="As libx264 calls them: slower ones make fewer bytes of the same picture."
    )
    quality: float = Field(
        23.0,
        ge=10,
        le=40,
        description="Constant quality (CRF of libx264) below each rendition's bit rate; up to 720 lines it is finer.",
    )
    encoder_threads: int = Field(0, ge=0, le=64, description="Threads of each encoder; 0: by the size of its pictures.")
    per_title: bool = Field(
        True, description="Whether samples of each video are encoded first, to set the bit rates that it deserves."
    )
    chunk_s: float = Field(60.0, ge=4, le=3600, description="Seconds of a video that one job encodes.")
    on_demand_concurrency: int = Field(
        2, ge=1, le=64, description="Segments that are made at once when they are asked for."
    )
    on_demand_cache_bytes: int = Field(
        10 * GIB, ge=0, description="Bytes of such segments kept; the one unused longest goes first."
    )
    on_demand_fill: bool = Field(
        False, description="Whether what was begun to be watched is made to its end while nobody waits."
    )
    restore_days: float = Field(0, ge=0, le=3650, description="Days that a deleted video can be taken back; 0: none.")
    replaced_kept_s: float = Field(
        3600, ge=0, le=604_800, description="Seconds that what a replaced file was made into is kept for its viewers."
    )
    retention_days: float | None = Field(
        None,
        gt=0,
        le=LONGEST_DAYS,
        description="Uploaded videos older than this are deleted; a project's own rule goes before it.",
    )
    retention_count: int | None = Field(
        None, ge=1, description="So many uploaded videos of a project are kept, the newest."
    )
    retention_bytes: int | None = Field(
        None, ge=1, description="Uploaded videos of a project are kept up to so many bytes of files, the newest."
    )
    retention_keep_tags: list[str] = Field(
        [], description="Uploaded videos with one of these tags are kept, whatever the rule."
    )

    @field_validator("ladder")
    @classmethod
    def _ladder(cls, lines: list[int]) -> list[int]:
        if not lines or len(lines) > 8 or not all(64 <= each <= 4320 and each % 2 == 0 for each in lines):
            raise ValueError("one to eight even numbers of lines from 64 to 4320")
        return sorted(set(lines), reverse=True)
