"""All sections, as the file and the environment set them."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from server.config.access import AuthConfig, SandboxConfig
from server.config.keeping import AnalyticsConfig, DatabaseConfig, EventsConfig, LogConfig, StorageConfig
from server.config.listeners import HttpConfig, RtmpConfig, SrtConfig
from server.config.live import LiveConfig
from server.config.section import Section
from server.config.vod import VodConfig
from server.config.work import FetchConfig, JobsConfig, WebhooksConfig

ENVIRONMENT_PREFIX = "SLUICE_"
# what else begins so: for commands that call a server, and one to take over from
NO_SETTINGS = {"SLUICE_KEY", "SLUICE_URL", "SLUICE_SOURCE_KEY"}


class ConfigError(ValueError):
    """The configuration can't be used; the text says which key and why, a line for each fault."""


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
