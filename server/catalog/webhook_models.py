"""The tables of webhooks: endpoints, and what is on its way to them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


def _partial(name: str, columns: list[str], where: str) -> Index:
    """Of the few rows that are on their way, among the many that have ended."""
    # SQLite takes the index only where a query has the very same words, and it has no booleans
    on_sqlite = where if " " in where else f"{where} = 1"
    return Index(name, *columns, sqlite_where=text(on_sqlite), postgresql_where=text(where))


class Webhook(Base):
    """An endpoint that is told of events."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("webhook_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text, default="")
    url: Mapped[str] = mapped_column(Text)  # without credentials
    login: Mapped[str | None] = mapped_column(Text)  # of HTTP's basic authentication
    password: Mapped[str | None] = mapped_column(Text)  # never shown again
    format: Mapped[str] = mapped_column(String(16), default="api.video")  # a key of webhooks.formats.FORMATS
    events: Mapped[list[Any]]  # names and patterns that are asked for
    secret: Mapped[str] = mapped_column(String(80))  # that calls are signed with; shown to its owner again
    old_secret: Mapped[str | None] = mapped_column(String(80))  # signed with too until
    old_secret_until: Mapped[datetime | None]
    since: Mapped[int] = mapped_column(BigInteger)  # position of the last event before it was made
    failures: Mapped[int] = mapped_column(Integer, default=0)  # in a row
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Delivery(Base):
    """An event on its way to an endpoint. `due_at`: when it is tried next; None while it waits for the ones of its
    object before it, and when it has ended."""

    __tablename__ = "deliveries"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("de"))
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    position: Mapped[int] = mapped_column(BigInteger)  # of its event
    object_id: Mapped[str] = mapped_column(_ID)
    sequence: Mapped[int] = mapped_column(Integer)
    type: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="pending")  # pending | retrying | delivered | dead
    in_line: Mapped[bool] = mapped_column(default=True)  # those of its object after it wait for it
    due_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(_ID)  # whose attempt it is, until
    leased_until: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)  # in a row
    failing_since: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    log: Mapped[list[Any]] = mapped_column(default=list)  # of the last attempts, as catalog.deliveries.Entry
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)

    __table_args__ = (
        UniqueConstraint("webhook_id", "position"),
        Index(None, "webhook_id", "state", "position"),
        Index(None, "state", "created_at"),
        _partial("ix_deliveries_due", ["webhook_id", "due_at"], "due_at IS NOT NULL"),
        _partial("ix_deliveries_held", ["worker"], "worker IS NOT NULL"),
        _partial("ix_deliveries_line", ["webhook_id", "object_id", "sequence"], "in_line"),
    )
