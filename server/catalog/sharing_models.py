"""Tables of a library that is shared with others: playlists and tags, where videos may be shown, who may send files,
what guards keys, how caches deliver, and what live events are beside live streams."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server import clock, ids
from server.catalog.models import Base

_ID = String(40)


class Playlist(Base):
    """Videos in an order."""

    __tablename__ = "playlists"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("py"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    parent_id: Mapped[str | None] = mapped_column(_ID)  # where it is kept, as its owner named it
    player_id: Mapped[str | None] = mapped_column(_ID)
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    privacy_type: Mapped[str] = mapped_column(String(16), default="anywhere")
    privacy_domains: Mapped[list[Any]] = mapped_column(default=list)
    tags: Mapped[list[Any]] = mapped_column(default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"sort_field","sort_order", …}
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class PlaylistEntry(Base):
    """A video of a playlist, at a position that counts from 1 without a hole."""

    __tablename__ = "playlist_entries"

    playlist_id: Mapped[str] = mapped_column(ForeignKey("playlists.id", ondelete="CASCADE"), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True, index=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    position: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class TagName(Base):
    """A tag that is kept whether videos have it or not. Those that have it hold its words."""

    __tablename__ = "tag_names"
    __table_args__ = (UniqueConstraint("project_id", "value"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("ta"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    value: Mapped[str] = mapped_column(String(255))
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class PrivacyDomain(Base):
    """A domain that a project's videos may be restricted to."""

    __tablename__ = "privacy_domains"
    __table_args__ = (UniqueConstraint("project_id", "domain"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("pd"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    domain: Mapped[str] = mapped_column(String(255))
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class FileRequest(Base):
    """A page on which others upload, with an upload token of its own."""

    __tablename__ = "file_requests"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("fr"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    location_id: Mapped[str | None] = mapped_column(_ID)  # where its videos are kept, as its owner named it
    token: Mapped[str] = mapped_column(_ID, index=True)  # the upload token: who has it uploads
    expires_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime | None] = mapped_column(onupdate=clock.now)


class DrmCallback(Base):
    """An address that is asked before a key is given out: for all of a project's videos, or those kept in one place."""

    __tablename__ = "drm_callbacks"
    __table_args__ = (UniqueConstraint("project_id", "parent_id"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("dc"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    parent_id: Mapped[str] = mapped_column(_ID, default="")  # "": all others; not null, so that there is one
    url: Mapped[str] = mapped_column(Text)  # without credentials
    login: Mapped[str] = mapped_column(Text, default="")  # of HTTP's basic authentication
    password: Mapped[str] = mapped_column(Text, default="")  # never shown again
    strict: Mapped[bool] = mapped_column(default=True)  # an address that does not answer gives out no key
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime | None] = mapped_column(onupdate=clock.now)


class DeliveryZone(Base):
    """How a project's videos reach their viewers: through which host, kept how long, at which quality at most."""

    __tablename__ = "delivery_zones"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("zo"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(Text)
    host: Mapped[str] = mapped_column(String(255))  # that URLs in answers lead to
    origins: Mapped[list[Any]] = mapped_column(default=list)  # [{"addr","basic_auth":{"username","password"}}]
    access_control: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"jwt_secret","secure_link"}: never shown
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what its owner gave, shown again
    playlist_ttl_s: Mapped[int | None] = mapped_column(Integer)  # that caches keep a video's playlists
    segment_ttl_s: Mapped[int | None] = mapped_column(Integer)  # that they keep segments at most
    max_lines: Mapped[int | None] = mapped_column(Integer)  # of the pictures that players are offered
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class LiveEvent(Base):
    """What a live event is beside its live stream, which has its name, key, schedule and targets."""

    __tablename__ = "live_events"

    live_stream_id: Mapped[str] = mapped_column(ForeignKey("live_streams.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16), default="recurring")  # recurring | one-time: ends with a broadcast
    subtitle: Mapped[str] = mapped_column(Text, default="")
    parent_id: Mapped[str | None] = mapped_column(_ID, index=True)  # where it is kept, as its owner named it
    record_parent_id: Mapped[str | None] = mapped_column(_ID)  # where its recordings are to be kept
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # switches of its page, kept for their owner
