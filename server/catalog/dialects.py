"""What SQLite and PostgreSQL each need to behave the same.

Both have one writer at a time: what a write transaction reads holds until it commits. SQLite takes its write lock at
BEGIN; on PostgreSQL an advisory lock, taken before the first statement looks at anything, does the same for all
processes, and no transaction ever has to be tried again for another one's sake.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    ExceptionContext,
    TableClause,
    cast,
    column,
    event,
    func,
    literal_column,
    make_url,
    table,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util.concurrency import await_

from server.catalog.sqlite_driver import BUSY_MS, Driver

WRITE_LOCK = text("SELECT pg_advisory_xact_lock(7302, 0)")
MIGRATION_LOCK = text("SELECT pg_advisory_xact_lock(7302, 1)")

POOL = 10  # connections of a process; more wait
SQLITE_POOL = 15  # each has a thread of its own
# A process that froze in a transaction would keep all others from writing; of a machine that is gone the server
# hears only by its own asking.
POSTGRESQL_SETTINGS = {
    "application_name": "sluice",
    "idle_in_transaction_session_timeout": "30s",
    "lock_timeout": "30s",
    "jit": "off",  # compiling takes longer than any of our statements
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}
CONNECT_S = 10.0
# Of SQLSTATE: later it may work. Another's lock (55P03) keeps everyone from it, whatever they ask for.
BROKEN_OFF = {"40001", "40P01", "57014"}
PASSING = BROKEN_OFF | {"55P03", "57P01", "57P02", "57P03", "53300"}


def make_engine(url: str) -> AsyncEngine:
    """Parameters of statements stand in no error of its: keys, tokens and passwords are among them."""
    if url.startswith("sqlite"):
        # none beyond the pool's, which would be opened and closed for each use; the last one that was used has its
        # pages at hand
        engine = create_async_engine(
            url, module=Driver(), pool_size=SQLITE_POOL, max_overflow=0, pool_use_lifo=True, hide_parameters=True
        )
        _prepare_sqlite(engine)
        return engine
    connecting = {"server_settings": POSTGRESQL_SETTINGS, "timeout": CONNECT_S}
    engine = create_async_engine(
        url, pool_size=POOL, max_overflow=0, pool_pre_ping=True, connect_args=connecting, hide_parameters=True
    )
    event.listen(engine.sync_engine, "handle_error", _as_operational)
    return engine


def async_url(url: str) -> str:
    """The URL with the driver that Sluice uses, whatever an operator wrote."""
    for plain, driver in (
        ("sqlite:", "sqlite+aiosqlite:"),
        ("postgresql:", "postgresql+asyncpg:"),
        ("postgres:", "postgresql+asyncpg:"),
    ):
        if url.startswith(plain):
            return driver + url.removeprefix(plain)
    return url


def server_of(url: str) -> str:
    """What to say before a fault of connecting: the host and port that were called, never user or password."""
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        return ""
    host = parts.host or parts.query.get("host")
    return f"{host}:{parts.port}: " if host and parts.port else f"{host}: " if host else ""


def _as_operational(context: ExceptionContext) -> BaseException | None:
    """asyncpg's errors of a database that is away, or busy, by the name that SQLite's have: what is raised instead."""
    error = context.sqlalchemy_exception
    if error is None or isinstance(error, OperationalError):
        return None
    state = getattr(context.original_exception, "sqlstate", None)
    if context.is_disconnect or state in PASSING:
        return OperationalError(
            context.statement, None, context.original_exception, connection_invalidated=context.is_disconnect
        )
    return None


def _prepare_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the BEGINs below are the only ones
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MS}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "close")
    def closing(connection: Any, _record: Any) -> None:
        # A connection whose user was cancelled is closed in the middle of its transaction. SQLite keeps one that has
        # cursors, with its lock, until they are gone, and the raised error holds them until garbage is collected.
        driver = connection.driver_connection
        if driver._connection is not None:
            driver._tx.put_nowait((None, driver._connection.rollback))  # before the close, in the driver's thread

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        await_(driver.begin(writes=False))


# Full text, of words and marks. SQLite has an FTS5 table over video_words, whose rowids are positions; PostgreSQL has
# GIN indexes over these two expressions. A word is a beginning, a mark is whole. The function of the first is there to
# tell what it costs: PostgreSQL would do it for each row, 7 us, sooner than ask the index for what every other one has.
FOUND = table("video_words_index", column("rowid"), column("video_words_index"))
_WORDS: ColumnElement[Any] = literal_column("search_words(video_words.words, video_words.spoken)")
_MARKS = literal_column("string_to_array(video_words.marks, ' ')", postgresql.ARRAY(postgresql.TEXT))

SQLITE_SEARCH = (
    """CREATE VIRTUAL TABLE video_words_index USING fts5(
        words, spoken, marks, content='video_words', content_rowid='position',
        tokenize='unicode61 remove_diacritics 0', prefix='1 2 3')""",
    """CREATE TRIGGER video_words_added AFTER INSERT ON video_words BEGIN
        INSERT INTO video_words_index(rowid, words, spoken, marks)
            VALUES (new.position, new.words, new.spoken, new.marks);
    END""",
    """CREATE TRIGGER video_words_removed AFTER DELETE ON video_words BEGIN
        INSERT INTO video_words_index(video_words_index, rowid, words, spoken, marks)
            VALUES ('delete', old.position, old.words, old.spoken, old.marks);
    END""",
    """CREATE TRIGGER video_words_changed AFTER UPDATE ON video_words BEGIN
        INSERT INTO video_words_index(video_words_index, rowid, words, spoken, marks)
            VALUES ('delete', old.position, old.words, old.spoken, old.marks);
        INSERT INTO video_words_index(rowid, words, spoken, marks)
            VALUES (new.position, new.words, new.spoken, new.marks);
    END""",
)
# What titles and descriptions contain, whatever the case. SQLite has an FTS5 table of each three characters in a row,
# whose rowids are positions; PostgreSQL has GIN indexes of the same over these columns.
CONTAINED_FROM = 3  # characters; of fewer, all texts are looked at
TEXTS = table("video_texts_index", column("rowid"), column("video_texts_index"))

SQLITE_TEXTS = (
    """CREATE VIRTUAL TABLE video_texts_index USING fts5(title, description, content='', tokenize='trigram')""",
    """CREATE TRIGGER video_texts_added AFTER INSERT ON videos WHEN new.position IS NOT NULL BEGIN
        INSERT INTO video_texts_index(rowid, title, description) VALUES (new.position, new.title, new.description);
    END""",
    """CREATE TRIGGER video_texts_removed AFTER DELETE ON videos WHEN old.position IS NOT NULL BEGIN
        INSERT INTO video_texts_index(video_texts_index, rowid, title, description)
            VALUES ('delete', old.position, old.title, old.description);
    END""",
    """CREATE TRIGGER video_texts_changed AFTER UPDATE OF title, description, position ON videos BEGIN
        INSERT INTO video_texts_index(video_texts_index, rowid, title, description)
            SELECT 'delete', old.position, old.title, old.description WHERE old.position IS NOT NULL;
        INSERT INTO video_texts_index(rowid, title, description)
            SELECT new.position, new.title, new.description WHERE new.position IS NOT NULL;
    END""",
)
SQLITE_TEXT_TRIGGERS = ("video_texts_added", "video_texts_removed", "video_texts_changed")
POSTGRESQL_TRIGRAMS = "pg_trgm"  # an extension: where it can't be had, all texts are looked at
POSTGRESQL_TEXTS = tuple(
    f"CREATE INDEX search_videos_{name}s ON videos USING gin (lower({name}) gin_trgm_ops)"
    for name in ("title", "description")
)
POSTGRESQL_SEARCH = (
    """CREATE FUNCTION search_words(words text, spoken text) RETURNS tsvector
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL RESTRICTED COST 500 AS $$ BEGIN
            RETURN array_to_tsvector(string_to_array(btrim(words || ' ' || spoken), ' '));
        END $$""",
    f"CREATE INDEX search_video_words_words ON video_words USING gin ({_WORDS})",
    f"CREATE INDEX search_video_words_marks ON video_words USING gin ({_MARKS})",
)


def fts5(words: Sequence[str], marks: Sequence[str], lacked: str | None = None) -> str:
    """For MATCH; all are letters and digits alone, and quoted all the same (FTS5, section 3). `lacked`: a mark that is
    not there."""
    parts = [f'{{words spoken}} : "{word}" *' for word in words] + [f'marks : "{mark}"' for mark in marks]
    found = " AND ".join(parts)
    return found if lacked is None else f'({found}) NOT marks : "{lacked}"'


def fts5_texts(texts: Mapping[str, str]) -> str:
    """For MATCH: by columns, what they contain; CONTAINED_FROM characters of each at least."""
    quoted = {name: text.replace('"', '""') for name, text in texts.items()}
    return " AND ".join(f'{name} : "{text}"' for name, text in quoted.items())


def matches(index: TableClause, query: str) -> ColumnElement[bool]:
    """On SQLite: FOUND or TEXTS."""
    return index.c[index.name].op("MATCH", is_comparison=True)(query)


def found_by(words: Sequence[str], marks: Sequence[str]) -> list[ColumnElement[bool]]:
    """Conditions of video_words on PostgreSQL."""
    conditions: list[ColumnElement[bool]] = [_MARKS.contains(cast(list(marks), postgresql.ARRAY(postgresql.TEXT)))]
    if words:
        wanted = " & ".join(f"'{word}':*" for word in words)
        conditions.append(_WORDS.op("@@", is_comparison=True)(cast(wanted, postgresql.TSQUERY)))
    return conditions


def without_key(dialect: str, values: Any, name: str) -> ColumnElement[Any]:
    """A JSON object without a member; the name holds no quotes."""
    if dialect == "sqlite":
        return func.json_remove(values, f'$."{name}"')
    found: ColumnElement[Any] = cast(values, postgresql.JSONB).op("-")(cast(name, postgresql.TEXT))
    return found
