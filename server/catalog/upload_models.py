"""Uploads that are no video's by themselves."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


class PartialUpload(Base):
    """A part of a tus upload, sent beside others. `upload_id` names the one that it was joined to, as part `number`."""

    __tablename__ = "partial_uploads"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("pu"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    secret_hash: Mapped[str] = mapped_column(String(64))
    length: Mapped[int | None] = mapped_column(BigInteger)  # None: not told yet
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)  # Upload-Metadata as it came
    upload_token_id: Mapped[str | None] = mapped_column(_ID)
    upload_id: Mapped[str | None] = mapped_column(ForeignKey("uploads.id", ondelete="CASCADE"), index=True)
    number: Mapped[int | None] = mapped_column(Integer)  # from 1
    expires_at: Mapped[datetime] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
