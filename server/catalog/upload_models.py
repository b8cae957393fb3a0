"""Uploads that are no video's by themselves, and URLs that wait for one."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
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


class UploadSession(Base):
    """A URL that takes one file. Its uploads name it as their upload token."""

    __tablename__ = "upload_sessions"
    __table_args__ = (Index(None, "project_id", "created_at"), Index(None, "state", "expires_at"))

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("us"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    secret_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="waiting")  # waiting | used | expired
    video_id: Mapped[str | None] = mapped_column(_ID)  # what the file becomes; it may be gone again
    upload_id: Mapped[str | None] = mapped_column(_ID)  # the newest
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_duration_s: Mapped[float | None] = mapped_column(Float)
    types: Mapped[list[Any]] = mapped_column(default=list)  # as media.file_types has them; none: all
    origin: Mapped[str | None] = mapped_column(Text)  # of the pages that may use it
    wish: Mapped[dict[str, Any]] = mapped_column(default=dict)  # columns of the video to be
    passthrough: Mapped[str | None] = mapped_column(Text)  # kept for its owner
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    @property
    def looks_inside(self) -> bool:
        """Whether its terms are about what is found in a file, which is shown to nobody before."""
        return self.max_duration_s is not None or bool(self.types)
