"""Tables of libraries, and of what videos have beside their files: details, posters, annotations, materials."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


class LibrarySettings(Base):
    """Of a folder at the top: what holds for videos that are put into it."""

    __tablename__ = "library_settings"

    id: Mapped[str] = mapped_column(ForeignKey("folders.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    privacy: Mapped[str] = mapped_column(String(16), default="anywhere")  # anywhere | nowhere | custom
    domains: Mapped[list[Any]] = mapped_column(default=list)  # of pages that may show them, where it is custom
    player_id: Mapped[str | None] = mapped_column(String(64))
    encrypted: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class VideoDetails(Base):
    """What is kept of a video beside its row, once there is any of it."""

    __tablename__ = "video_details"

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    subtitle: Mapped[str] = mapped_column(Text, default="")
    privacy: Mapped[str | None] = mapped_column(String(16))  # None: anywhere or nowhere, as the video is public or not
    domains: Mapped[list[Any]] = mapped_column(default=list)
    chapters: Mapped[list[Any]] = mapped_column(default=list)  # [{"time": ms, "title"}]
    chapters_shown: Mapped[bool] = mapped_column(default=False)
    captions_order: Mapped[list[Any]] = mapped_column(default=list)  # languages; those not in it come behind
    materials_shown: Mapped[bool] = mapped_column(default=False)
    preview: Mapped[dict[str, Any] | None]  # {"start","length","quality"}: the stretch that previews show


class Poster(Base):
    """A picture that a video can be shown with; one of them is, at most."""

    __tablename__ = "posters"
    __table_args__ = (Index(None, "video_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("po"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    at_s: Mapped[float | None] = mapped_column(Float)  # the moment of the video; None: it was uploaded
    active: Mapped[bool] = mapped_column(default=False)
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of a file of its own
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Annotation(Base):
    """A link that the player may show during a stretch of a video."""

    __tablename__ = "annotations"
    __table_args__ = (Index(None, "video_id", "start_ms"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("an"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    poster_id: Mapped[str | None] = mapped_column(_ID)  # of the picture that it is shown with
    kind: Mapped[str] = mapped_column(String(16), default="text")  # video | text
    title: Mapped[str] = mapped_column(Text)
    link: Mapped[str] = mapped_column(Text)
    start_ms: Mapped[int] = mapped_column(BigInteger)  # as late as a text may be
    end_ms: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Material(Base):
    """A file that goes with a video, to be downloaded."""

    __tablename__ = "materials"
    __table_args__ = (Index(None, "video_id", "position"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("ma"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(Text)
    filename: Mapped[str] = mapped_column(Text)
    filetype: Mapped[str] = mapped_column(String(255))
    size: Mapped[int | None] = mapped_column(BigInteger)  # bytes; None: the file is not there yet, nor is it shown
    secret_hash: Mapped[str | None] = mapped_column(String(64))  # of who may bring the file
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
