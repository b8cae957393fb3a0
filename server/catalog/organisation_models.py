"""Tables of how a project orders its videos."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base
from server.catalog.types import Counter

_ID = String(40)


class Folder(Base):
    """Has videos and folders in it; see catalog.folders for what a tree may be."""

    __tablename__ = "folders"
    __table_args__ = (Index(None, "project_id", "parent_id", "name"), Index(None, "project_id", "created_at"))

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("fo"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    parent_id: Mapped[str | None] = mapped_column(ForeignKey("folders.id"))  # None: it is at the top
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Collection(Base):
    """Videos in an order of their own, wherever they lie."""

    __tablename__ = "collections"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("co"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class CollectionVideo(Base):
    """One video in a collection. Ranks have gaps."""

    __tablename__ = "collection_videos"
    __table_args__ = (Index(None, "collection_id", "rank"),)

    collection_id: Mapped[str] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True, index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    rank: Mapped[int] = mapped_column(BigInteger)


class CustomField(Base):
    """A fact that a project keeps of its videos, beside those that every video has. Its name stays."""

    __tablename__ = "custom_fields"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("cf"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(8))  # text | number | boolean | date | choice
    description: Mapped[str] = mapped_column(Text, default="")
    choices: Mapped[list[Any]] = mapped_column(default=list)  # of a choice
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class CustomValue(Base):
    """What a video's `custom` has of one field, to filter and sort by; catalog.indexing keeps it true."""

    __tablename__ = "custom_values"
    __table_args__ = (
        Index("ix_custom_values_texts", "field_id", "listed", "text", "position", "video_id"),
        Index("ix_custom_values_numbers", "field_id", "listed", "number", "position", "video_id"),
    )

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    field_id: Mapped[str] = mapped_column(ForeignKey("custom_fields.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    text: Mapped[str | None] = mapped_column(Text)  # also dates, as 2026-01-31, and choices
    number: Mapped[float | None] = mapped_column(Double)  # also booleans, 0 and 1
    listed: Mapped[bool]  # False: the video is discarded
    position: Mapped[int] = mapped_column(BigInteger)  # of the video's words


class VideoWords(Base):
    """What a video is found by, see catalog.words; catalog.indexing keeps it true. Versions have none.

    Positions are in the order of the videos' creation. On each database there is a full-text index over `words` and
    `marks`, see catalog.dialects.
    """

    __tablename__ = "video_words"

    position: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=False)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), unique=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    words: Mapped[str] = mapped_column(Text)
    spoken: Mapped[str] = mapped_column(Text, default="")  # words of its captions, see catalog.text_tracks
    marks: Mapped[str] = mapped_column(Text)
