"""The tables about callers of the API: what is kept of their calls, and what they did."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base
from server.catalog.types import Counter


class StoredAnswer(Base):
    """What a call with an Idempotency-Key was answered; committed with what the call did."""

    __tablename__ = "stored_answers"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256: the key itself opens `sealed`
    fingerprint: Mapped[str] = mapped_column(String(64))  # SHA-256 of the call: method, URL, body
    status: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)  # headers and body, which may hold secrets
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Base):
    """Who did what to which object. Entries outlive their project."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "project_id", "position"), Index(None, "project_id", "object_id", "position"))

    position: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(40), unique=True, default=lambda: ids.new("au"))
    project_id: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(16))  # api-key | upload-token | command-line
    actor_id: Mapped[str | None] = mapped_column(String(40), index=True)
    operation: Mapped[str] = mapped_column(String(128))  # of the OpenAPI document, or the command
    request_id: Mapped[str | None] = mapped_column(String(64))
    ip: Mapped[str | None] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(8))  # created | changed | deleted | called: no row of it changed
    object_type: Mapped[str | None] = mapped_column(String(40))  # the table
    object_id: Mapped[str | None] = mapped_column(String(64))
    before: Mapped[dict[str, Any] | None]  # columns that changed, or all of what was deleted; secrets masked
    after: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
