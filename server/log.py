"""Structured logs on standard error: pretty on a terminal, JSON otherwise; secrets never.

Ids (request, video, live_stream, broadcast, connection) are bound by whoever knows them, through
`structlog.contextvars` or `bind`. Libraries' standard logging goes through the same pipe.
"""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from server import clock

_SECRET_NAMES = re.compile(
    r"(secret|password|passphrase|authorization|cookie|stream_?key|api_?key|owner_?key|jwt)$|^(token|key)$"
)
# what may stand in a URL or a sentence: JWTs, /token/…/ path parts, upload secrets, query tokens
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<=/token/)[^/?#\s\"]+"
    r"|(?<=/upload-tokens/)[^/?#\s\"]+"
    r"|(?<=[?&]token=)[^&#\s\"]+"
    r"|(?<=[?&]avh=)[^&#\s\"]+"
    r"|(?<=[?&]streamKey=)[^&#\s\"]+"
    r"|(?<=/tus/)(up\w+/)[\w-]+"
)
# without any of these in it a text is left alone: looking for them is ten times cheaper than the expression
_HINTS = ("eyJ", "token", "avh=", "streamKey=", "/tus/")
MASK = "***"

Logger = structlog.stdlib.BoundLogger


def get(name: str) -> Logger:
    """The logger of a part, such as "rtmp" or "web"."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def mask(text: str) -> str:
    """The text without what opens anything."""
    if not any(hint in text for hint in _HINTS):
        return text
    return _SECRET_TEXT.sub(lambda found: (found.group(1) or "") + MASK, text)


class Lines:
    """A part's lines at INFO that come with every request: where logs are JSON, written without the long way round.

    One costs 10 µs instead of 80. Names and values must hold no secret; a text that may is passed through `mask` first.
    """

    _stream: TextIO | None = None  # set by `configure` where logs are JSON

    def __init__(self, name: str) -> None:
        self._name = name
        self._logger = get(name)
        self._standard = logging.getLogger(name)

    def info(self, event: str, **values: Any) -> None:
        if Lines._stream is None:
            self._logger.info(event, **values)
        elif self._standard.isEnabledFor(logging.INFO):
            known = structlog.contextvars.get_contextvars()
            at = clock.now().isoformat().replace("+00:00", "Z")
            line = {"event": event, **values, **known, "logger": self._name, "level": "info", "timestamp": at}
            Lines._stream.write(_dumps(line) + "\n")


def configure(level: str, style: str, stream: TextIO | None = None) -> None:
    """Sets logging up for the process. `style` is auto, pretty or json."""
    out = stream or sys.stderr
    pretty = style == "pretty" or (style == "auto" and out.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if pretty
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:-1], structlog.stdlib.ExtraAdder(), redact],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    Lines._stream = None if pretty else out
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("aiosqlite", "asyncio", "sqlalchemy", "alembic", "dbos"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Masks values whose name says secret, and secrets inside any text."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name.lower()):
            event[name] = MASK
        elif isinstance(value, str):
            event[name] = mask(value)
    return event


def _dumps(value: Any, default: Callable[[Any], Any] | None = None, **_: Any) -> str:
    return orjson.dumps(value, default=default or str).decode()
