"""The tables about who may watch: names to watch by, restrictions, and keys that products sign tokens with."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


class PlaybackRestriction(Base):
    """Who may watch, by page, browser, country and address."""

    __tablename__ = "playback_restrictions"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("restriction_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text, default="")
    # domains, user_agents, countries, networks: {allowed, blocked, unsaid}; one that is not there lets everything pass
    rules: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class PlaybackId(Base):
    """A further name of a video or live stream to watch it by, with a policy of its own."""

    __tablename__ = "playback_ids"
    __table_args__ = (
        Index(None, "video_id", "created_at"),
        Index(None, "live_stream_id", "created_at"),
        Index(None, "project_id"),
        Index(None, "restriction_id"),
        Index(None, "ends_at"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("pb"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    video_id: Mapped[str | None] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))  # or
    live_stream_id: Mapped[str | None] = mapped_column(ForeignKey("live_streams.id", ondelete="CASCADE"))
    policy: Mapped[str] = mapped_column(String(8))  # public | signed
    restriction_id: Mapped[str | None] = mapped_column(ForeignKey("playback_restrictions.id"))
    ends_at: Mapped[datetime | None]  # another has taken its place, and from then on alone
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    @property
    def object_id(self) -> str:
        return self.video_id or self.live_stream_id or ""


class SigningKey(Base):
    """The public half of a key that a product signs playback tokens with; the private one is not kept."""

    __tablename__ = "signing_keys"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("sk_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text, default="")
    algorithm: Mapped[str] = mapped_column(String(8))  # RS256 | ES256 | EdDSA: its tokens have no other
    public_key: Mapped[str] = mapped_column(Text)  # PEM, SubjectPublicKeyInfo
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
