"""The settings: one TOML file, each key also by environment (`SLUICE_HTTP__PORT=0`), defaults for all.

Every key's description here is its documentation; `config.example.toml` is compared with it by a test.
A part of Sluice is handed its own section, never the whole.
"""

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

ENVIRONMENT_PREFIX = "SLUICE_"
# what else begins so: for commands that call a server, and one to take over from
NO_SETTINGS = {"SLUICE_KEY", "SLUICE_URL", "SLUICE_SOURCE_KEY"}
GIB = 1 << 30
LONGEST_DAYS = 36_500  # a hundred years, which is for good: dates end a few thousand years from here

Port = Annotated[int, Field(ge=0, le=65535)]


def _network(text: str) -> str:
    ip_network(text, strict=False)  # raises ValueError
    return text


Network = Annotated[str, AfterValidator(_network)]


class ConfigError(ValueError):
    """The configuration can't be used; the text says which key and why, a line for each fault."""


class Section(BaseModel):
    """A table of the file; a key it doesn't know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpConfig(Section):
    host: str = Field("127.0.0.1", description="Address that HTTP listens on; 0.0.0.0 for every address.")
    port: Port = Field(8080, description="Port of HTTP; 0 picks a free one.")
    public_url: str | None = Field(
        None,
        description="URL under which clients reach the server, such as https://video.example.com; "
        "without it answers use the Host of the request.",
        pattern=r"^https?://[^/\s]+(/[^\s]*)?$",
    )
    trusted_proxies: list[Network] = Field(
        [], description="Addresses or networks whose X-Forwarded-* headers are believed."
    )
    country_header: str | None = Field(
        None,
        description="Request header in which trusted proxies tell the viewer's country, such as CF-IPCountry.",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
    )
    country_database: Path | None = Field(
        None, description="File in MaxMind's format (.mmdb) that tells the countries of addresses."
    )
    cors_origins: list[str] = Field(["*"], description="Origins allowed to call the API and media from pages.")
    reads_per_minute: int = Field(6000, ge=1, description="REST calls that read, for each API key.")
    writes_per_minute: int = Field(2000, ge=1, description="REST calls that change something, for each API key.")
    uploads_per_minute: int = Field(2000, ge=1, description="REST calls that upload, for each API key or address.")


class RtmpConfig(Section):
    enabled: bool = Field(True, description="Whether RTMP publishers are taken.")
    host: str = Field("0.0.0.0", description="Address that RTMP listens on.")
    port: Port = Field(1935, description="Port of RTMP; 0 picks a free one.")
    max_publishers: int = Field(500, ge=1, description="Connections held at once; more are refused.")
    idle_timeout_s: float = Field(10.0, ge=1, description="Seconds without data until a publisher is dropped.")
    certificate: Path | None = Field(
        None, description="PEM file of a certificate chain; with it RTMPS is served too, on tls_port."
    )
    key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    tls_port: Port = Field(1936, description="Port of RTMPS; 0 picks a free one.")


class SrtConfig(Section):
    enabled: bool = Field(True, description="Whether SRT publishers and readers are taken.")
    host: str = Field("0.0.0.0", description="Address that SRT listens on.")
    port: Port = Field(6200, description="UDP port of SRT; 0 picks a free one.")
    latency_ms: int = Field(
        200, ge=20, le=8000, description="Least time that a lost packet is waited for; an encoder may ask for more."
    )
    max_connections: int = Field(500, ge=1, description="Publishers and readers held at once; more are refused.")
    min_key_bits: Literal[0, 128, 192, 256] = Field(
        0, description="Least length of an encryption key, bits; with it every publisher needs a passphrase."
    )


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


class AuthConfig(Section):
    owner_key: SecretStr | None = Field(
        None, description="API key of the owner; without it one is made at the first start and printed once."
    )
    token_secret: SecretStr | None = Field(
        None, description="Secret that signs playback tokens; without it one is made and kept in the catalogue."
    )
    audit_days: float = Field(365, gt=0, le=LONGEST_DAYS, description="Days that the audit log is kept.")
    failures_per_minute: int = Field(
        60, ge=1, description="Wrong credentials taken from one address; then only known keys are listened to there."
    )


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


class JobsConfig(Section):
    concurrency: int = Field(
        2, ge=0, le=64, description="Jobs that encode at once in this process; 0 leaves them to workers."
    )
    short_concurrency: int = Field(2, ge=1, le=64, description="Short jobs at once beside them: what a file is.")
    io_concurrency: int = Field(4, ge=1, le=64, description="Jobs at once beside them that wait for a network.")
    probe_timeout_s: float = Field(60.0, ge=1, description="Seconds that reading an uploaded file may take.")


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


class SandboxConfig(Section):
    keep_hours: float = Field(
        24.0, gt=0, le=24 * LONGEST_DAYS, description="Hours after which videos of sandbox projects are deleted."
    )
    max_length_s: float = Field(30.0, gt=0, description="Longest video taken in a sandbox project, seconds.")
    max_bytes: int = Field(209_715_200, ge=1, description="Largest upload taken in a sandbox project, bytes.")
    max_live_s: float = Field(
        1800.0, ge=10, description="Seconds after which a broadcast of a sandbox project is ended."
    )


class LogConfig(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    format: Literal["auto", "pretty", "json"] = Field(
        "auto", description="pretty, json, or auto: pretty on a terminal, JSON otherwise."
    )


class Config(BaseSettings):
    """All sections."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=ENVIRONMENT_PREFIX, env_nested_delimiter="__"
    )

    http: HttpConfig = HttpConfig()  # type: ignore[call-arg]
    rtmp: RtmpConfig = RtmpConfig()  # type: ignore[call-arg]
    srt: SrtConfig = SrtConfig()  # type: ignore[call-arg]
    storage: StorageConfig = StorageConfig()  # type: ignore[call-arg]
    database: DatabaseConfig = DatabaseConfig()  # type: ignore[call-arg]
    auth: AuthConfig = AuthConfig()  # type: ignore[call-arg]
    live: LiveConfig = LiveConfig()  # type: ignore[call-arg]
    vod: VodConfig = VodConfig()  # type: ignore[call-arg]
    fetch: FetchConfig = FetchConfig()  # type: ignore[call-arg]
    jobs: JobsConfig = JobsConfig()  # type: ignore[call-arg]
    webhooks: WebhooksConfig = WebhooksConfig()  # type: ignore[call-arg]
    events: EventsConfig = EventsConfig()  # type: ignore[call-arg]
    analytics: AnalyticsConfig = AnalyticsConfig()  # type: ignore[call-arg]
    sandbox: SandboxConfig = SandboxConfig()  # type: ignore[call-arg]
    log: LogConfig = LogConfig()  # type: ignore[call-arg]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, whose tables come as init arguments."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _ports_differ(self) -> "Config":
        if self.http.port and self.rtmp.enabled and self.http.port == self.rtmp.port:
            raise ValueError("http.port and rtmp.port are the same")
        return self


def sections() -> Mapping[str, type[Section]]:
    """The tables of the file by name."""
    return {
        name: field.annotation
        for name, field in Config.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
    }


def load(path: Path | None, environment: Mapping[str, str] | None = None) -> Config:
    """The settings of a file (None: defaults) under those of the environment. Raises ConfigError."""
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text())
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: {error}") from None
    _refuse_unknown_variables(os.environ if environment is None else environment)
    try:
        return Config(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentences(error, path))) from None


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    # pydantic-settings passes over a misspelt variable in silence; an operator should hear of it
    known = {
        f"{ENVIRONMENT_PREFIX}{section}__{key}".upper()
        for section, model in sections().items()
        for key in model.model_fields
    } | NO_SETTINGS
    unknown = sorted(
        name for name in environment if name.upper().startswith(ENVIRONMENT_PREFIX) and name.upper() not in known
    )
    if unknown:
        raise ConfigError("\n".join(f"{name}: no such setting" for name in unknown))


def _sentences(error: ValidationError, path: Path | None) -> list[str]:
    where = f"{path}: " if path else ""
    lines = []
    for fault in error.errors(include_url=False, include_input=False):
        key = ".".join(str(step) for step in fault["loc"])
        text = "no such setting" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"{where}{key}: {text}" if key else f"{where}{text}")
    return lines
