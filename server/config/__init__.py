"""The settings: one TOML file, each key also by environment (`SLUICE_HTTP__PORT=0`), defaults for all.

Every key's description is its documentation; `config.example.toml` is compared with it by a test. A part of Sluice is
handed its own section, never the whole.

    listeners   [http] [rtmp] [srt]
    access      [auth] [sandbox]
    keeping     [storage] [database] [events] [analytics] [log]
    live, vod   [live], [vod]
    work        [jobs] [fetch] [webhooks]
    loading     all of them, of the file and the environment
"""

from server.config.access import AuthConfig, SandboxConfig
from server.config.keeping import AnalyticsConfig, DatabaseConfig, EventsConfig, LogConfig, StorageConfig
from server.config.listeners import HttpConfig, RtmpConfig, SrtConfig
from server.config.live import LatencyMode, LiveConfig
from server.config.loading import Config, ConfigError, load, sections
from server.config.section import Section
from server.config.vod import VodConfig
from server.config.work import FetchConfig, JobsConfig, WebhooksConfig

__all__ = [
    "AnalyticsConfig", "AuthConfig", "Config", "ConfigError", "DatabaseConfig", "EventsConfig", "FetchConfig",
    "HttpConfig", "JobsConfig", "LatencyMode", "LiveConfig", "LogConfig", "RtmpConfig", "SandboxConfig", "Section",
    "SrtConfig", "StorageConfig", "VodConfig", "WebhooksConfig", "load", "sections",
]  # fmt: skip
