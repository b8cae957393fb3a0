"""What handlers may use, built once by the composition root."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from server.catalog import videos
from server.catalog.database import Database, Transaction
from server.catalog.models import LiveStream, Video
from server.catalog.usage import Delivered
from server.config import HttpConfig, LiveConfig
from server.ingest.pull_state import PullStatus
from server.playback.assets import Assets
from server.playback.countries import CountryOf
from server.playback.revocations import Revocations
from server.playback.tokens import Tokens
from server.web.auth import Credentials
from server.web.idempotency import Idempotency
from server.web.metrics import Metrics
from server.web.rates import FAILURES_PER_MINUTE, Rates

Check = Callable[[], Awaitable[None]]  # raises, with a sentence, when the thing is not in order


@dataclass(frozen=True, slots=True)
class IngestPorts:
    """Where publishers connect; None where that protocol is not served."""

    rtmp: int | None = None
    rtmps: int | None = None
    srt: int | None = None


async def _nothing(_: Any) -> None:
    return None


def _ignore(_: Any) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Services:
    """The callbacks `on_…` are called after the commit that they tell of."""

    database: Database
    http: HttpConfig
    live: LiveConfig
    credentials: Credentials
    tokens: Tokens
    assets: Assets
    revocations: Revocations
    idempotency: Idempotency
    country_of: CountryOf | None = None  # by address
    metrics: Metrics = field(default_factory=Metrics)
    delivered: Delivered = field(default_factory=Delivered)
    rates: Rates = field(default_factory=Rates)
    failures: Rates = field(default_factory=lambda: Rates({"failure": FAILURES_PER_MINUTE}))
    ingest: IngestPorts = field(default_factory=IngestPorts)
    ready_checks: Mapping[str, Check] = field(default_factory=dict)
    remove_video: Callable[[Transaction, Video], Awaitable[None]] = videos.remove  # in the caller's transaction
    on_live_stream_deleted: Callable[[LiveStream], None] = _ignore  # closes its publisher, deletes its bytes
    on_live_stream_changed: Callable[[LiveStream], None] = _ignore  # made or changed: its schedule is taken up
    source_status: Callable[[str], PullStatus | None] = _ignore  # of the live stream with this id
    complete_live_stream: Callable[[str], Awaitable[None]] = _nothing  # ends the broadcast on air, if there is one


SERVICES = web.AppKey("services", Services)
