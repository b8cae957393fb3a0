"""Tables of how a project orders its videos."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
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
