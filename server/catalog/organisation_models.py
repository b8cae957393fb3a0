"""Tables of how a project orders its videos."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

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
