"""Tables of the control plane: how players look, what videos are about, what was watched."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base
from server.catalog.types import Counter

_ID = String(40)


class Player(Base):
    """How the player looks and behaves for the videos and live streams that name it."""

    __tablename__ = "players"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("pl"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text, default="")
    theme: Mapped[dict[str, Any]] = mapped_column(default=dict)  # colours and switches, as catalog.players names them
    logo_at: Mapped[datetime | None]  # when its picture was uploaded: part of its URL
    logo_link: Mapped[str | None] = mapped_column(Text)  # where a click on it leads
    logo_bytes: Mapped[int | None] = mapped_column(BigInteger)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # that another dialect gave, kept for its owner
    ads: Mapped[list[Any]] = mapped_column(default=list)  # as that dialect has them
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Summary(Base):
    """What a video is about, in a few sentences; a video has one at most."""

    __tablename__ = "summaries"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("summary_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), unique=True)
    origin: Mapped[str] = mapped_column(String(8), default="api")  # api: written by its owner | auto
    status: Mapped[str] = mapped_column(String(16), default="missing")  # the dialect's sourceStatus
    abstract: Mapped[str | None] = mapped_column(Text)
    takeaways: Mapped[list[Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class PlaybackSession(Base):
    """One viewer with one asset, from the player's loading to the last that was heard of it."""

    __tablename__ = "playback_sessions"
    __table_args__ = (
        Index(None, "project_id", "loaded_at"), Index(None, "media_id", "loaded_at"), Index(None, "loaded_at"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("ps"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    media_id: Mapped[str] = mapped_column(_ID)
    media_type: Mapped[str] = mapped_column(String(16))  # video | live-stream
    viewer: Mapped[str] = mapped_column(String(64), default="")  # the same for one viewer during a day
    loaded_at: Mapped[datetime]  # an impression
    played_at: Mapped[datetime | None]  # the first picture was shown
    heard_at: Mapped[datetime]
    plays: Mapped[int] = mapped_column(Integer, default=0)
    starts: Mapped[int] = mapped_column(Integer, default=0)  # plays from the beginning
    ends: Mapped[int] = mapped_column(Integer, default=0)  # plays up to the end
    watched_s: Mapped[float] = mapped_column(Float, default=0.0)
    waited_ms: Mapped[int | None] = mapped_column(Integer)  # from the loading to the first picture
    continent: Mapped[str] = mapped_column(String(2), default="")
    country: Mapped[str] = mapped_column(String(2), default="")
    device_type: Mapped[str] = mapped_column(String(16), default="unknown")
    operating_system: Mapped[str] = mapped_column(String(32), default="unknown")
    browser: Mapped[str] = mapped_column(String(32), default="unknown")
    referrer: Mapped[str] = mapped_column(Text, default="")


class PlaybackEvent(Base):
    """What a player told in the course of a session."""

    __tablename__ = "playback_events"
    __table_args__ = (Index(None, "session_id", "position"),)

    position: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    session_id: Mapped[str] = mapped_column(ForeignKey("playback_sessions.id", ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(32))
    emitted_at: Mapped[datetime]
    at_ms: Mapped[int | None] = mapped_column(BigInteger)  # where in the asset
    from_ms: Mapped[int | None] = mapped_column(BigInteger)  # of a seek
    to_ms: Mapped[int | None] = mapped_column(BigInteger)


class PlaybackTotal(Base):
    """How often something was played in sessions that are not kept any more, and are alike but for viewer and time."""

    __tablename__ = "playback_totals"
    __table_args__ = (Index(None, "project_id", "media_id"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)  # catalog.session_aging
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    media_id: Mapped[str] = mapped_column(_ID)
    media_type: Mapped[str] = mapped_column(String(16))
    continent: Mapped[str] = mapped_column(String(2))
    country: Mapped[str] = mapped_column(String(2))
    device_type: Mapped[str] = mapped_column(String(16))
    operating_system: Mapped[str] = mapped_column(String(32))
    browser: Mapped[str] = mapped_column(String(32))
    referrer: Mapped[str] = mapped_column(Text)
    plays: Mapped[int] = mapped_column(BigInteger)
