"""Structured logs on standard error: pretty on a terminal, JSON otherwise; secrets never.

Ids (request, video, live_stream, broadcast, connection) are bound by whoever knows them, through
`structlog.contextvars` or `bind`. Libraries' standard logging goes through the same pipe.
"""

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, ClassVar, TextIO

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
    r"|(?<=[?&]access_token=)[^&#\s\"]+"
    r"|(?<=[?&]avh=)[^&#\s\"]+"
    r"|(?<=[?&]streamKey=)[^&#\s\"]+"
    r"|(?<=/tus/)((?:up|pu)\w+/)[\w-]+"
    r"|(?<=/v2/upload/)([\w-]+/)[\w-]+"
    r"|(?<=/upload-sessions/)(us\w+/)[\w/-]+"
    r"|(?<=/file-requests/)(\w{22}-)[\w-]+"
    r"|([?&](?:client_secret|refresh_token|code|code_verifier|key|apiKey|password|passphrase)=)[^&#\s\"]+"
)
# without any of these in it a text is left alone: looking for them is ten times cheaper than the expression
_HINTS = (
    "eyJ", "token", "avh=", "ey=", "/tus/", "/v2/upload/", "/upload-sessions/", "/file-requests/", "secret=", "code=",
    "code_verifier=", "passw", "passphrase=",
)  # fmt: skip
MASK = "***"

KEPT_AT_MOST = 64 << 10  # bytes of lines that wait to be written together: some 200 lines

Logger = structlog.stdlib.BoundLogger
Later = Callable[[Callable[[], None]], object]  # calls its argument, somewhat later


def get(name: str) -> Logger:
    """The logger of a part, such as "rtmp" or "web"."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def mask(text: str) -> str:
    """The text without what opens anything."""
    if not any(hint in text for hint in _HINTS):
        return text
    return _SECRET_TEXT.sub(lambda found: next(filter(None, found.groups()), "") + MASK, text)


class Lines:
    """A part's lines at INFO that come with every request: where logs are JSON, written without the long way round.

    One costs 5 µs instead of 80. Names and values must hold no secret; a text that may is passed through `mask` first.
    What is bound to the context is not looked for: the caller names it.
    """

    _stream: TextIO | None = None  # set by `configure` where logs are JSON
    _later: ClassVar[Later | None] = None
    _kept: ClassVar[list[bytes]] = []
    _kept_bytes: ClassVar[int] = 0

    def __init__(self, name: str) -> None:
        self._name = name
        self._logger = get(name)
        self._standard = logging.getLogger(name)

    def info(self, event: str, **values: Any) -> None:
        if Lines._stream is None:
            self._logger.info(event, **values)
        elif self._standard.isEnabledFor(logging.INFO):
            line = {"event": event, **values, "logger": self._name, "level": "info", "timestamp": clock.now()}
            Lines._put(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))

    @classmethod
    def gather(cls, later: Later | None) -> None:
        """Keeps lines until `later` calls what it is given, which it does soon: one write for many lines costs what
        one line does, half of all that a line costs. None: each is written at once again."""
        cls._later = later
        cls.flush()

    @classmethod
    def _put(cls, line: bytes) -> None:
        cls._kept.append(line)
        cls._kept_bytes += len(line)
        if cls._later is None or cls._kept_bytes > KEPT_AT_MOST:
            cls.flush()
        elif len(cls._kept) == 1:
            cls._later(cls.flush)

    @classmethod
    def flush(cls) -> None:
        """Writes what is kept."""
        lines, cls._kept, cls._kept_bytes = cls._kept, [], 0
        if lines and cls._stream is not None:
            cls._stream.write(b"".join(lines).decode())


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
    # in the order of who logs them; a traceback with the values of variables, as libraries make it, tells secrets
    console = structlog.dev.ConsoleRenderer(
        colors=out.isatty(), sort_keys=False, exception_formatter=structlog.dev.plain_traceback
    )
    renderer: list[Any] = (
        [console, _masked]
        if pretty
        else [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(serializer=_dumps)]
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


def _masked(_logger: Any, _method: str, line: str) -> str:
    """What an exception says is in the line only when it is rendered."""
    return mask(line)


def _dumps(value: Any, default: Callable[[Any], Any] | None = None, **_: Any) -> str:
    return orjson.dumps(value, default=default or str).decode()
