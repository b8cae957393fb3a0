"""`[jobs]`, `[fetch]`, `[webhooks]`: what is done behind the calls."""

from pydantic import Field

from server.config.section import LONGEST_DAYS, Section


class JobsConfig(Section):
    concurrency: int = Field(
        2, ge=0, le=64, description="Jobs that encode at once in this process; 0 leaves them to workers."
    )
    short_concurrency: int = Field(2, ge=1, le=64, description="Short jobs at once beside them: what a file is.")
    io_concurrency: int = Field(4, ge=1, le=64, description="Jobs at once beside them that wait for a network.")
    probe_timeout_s: float = Field(60.0, ge=1, description="Seconds that reading an uploaded file may take.")


class FetchConfig(Section):
    """Of files that are fetched by URL; vod.max_upload_bytes bounds each, jobs.io_concurrency how many at once."""

    allow: list[str] = Field(
        [],
        description="Host names (.example.com for all below it), addresses and networks that may be fetched from "
        "although they are not on the public Internet.",
    )
    attempts: int = Field(
        8, ge=1, le=100, description="Tries in a row without progress until the fetching of a file is given up."
    )
    idle_timeout_s: float = Field(30.0, gt=0, description="Seconds that a source may be silent for.")
    timeout_s: float = Field(43200.0, gt=0, description="Seconds that the fetching of one file may take in all.")


class WebhooksConfig(Section):
    allow: list[str] = Field(
        [],
        description="Host names (.example.com for all below it), addresses and networks that endpoints may have "
        "although they are not on the public Internet.",
    )
    concurrency: int = Field(8, ge=1, le=64, description="Deliveries to one endpoint at once.")
    timeout_s: float = Field(10.0, gt=0, le=60, description="Seconds that an endpoint may take to answer.")
    disable_after_s: float = Field(
        259200.0, ge=60, description="Seconds after which an endpoint that takes nothing is disabled."
    )
    keep_days: int = Field(30, ge=1, le=LONGEST_DAYS, description="Days that deliveries are kept after they ended.")
