"""The tables about callers of the API: what is kept of their calls."""

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from server import clock
from server.catalog.models import Base


class StoredAnswer(Base):
    """What a call with an Idempotency-Key was answered; committed with what the call did."""

    __tablename__ = "stored_answers"

    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256: the key itself opens `sealed`
    fingerprint: Mapped[str] = mapped_column(String(64))  # SHA-256 of the call: method, URL, body
    status: Mapped[int] = mapped_column(Integer)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)  # headers and body, which may hold secrets
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
