"""The tables. Every row belongs to a project, from the first migration on (settings are the server's own)."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, MetaData, String, Text, UniqueConstraint, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from server import clock, ids
from server.catalog.types import Counter, Json, Utc

DEFAULT_PROJECT = "pr1111111111111111111111"  # the nil UUID: the one project of a server that was not told more

_ID = String(40)


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {datetime: Utc(), dict[str, Any]: Json(), list[Any]: Json()}


class Setting(Base):
    """A value of the server's own, such as the secret that signs tokens."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Project(Base):
    """A tenant."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("pr"))
    name: Mapped[str] = mapped_column(String(255))
    retention: Mapped[dict[str, Any] | None]  # {"videos","recordings"}: rules that go before the server's
    sandbox: Mapped[bool] = mapped_column(default=False)  # for trying things out, from its making on
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class ApiKey(Base):
    """A credential of the REST API; only its SHA-256 is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("key_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(255))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]] = mapped_column(default=lambda: ["*"])
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    rotated_at: Mapped[datetime | None]  # when the secret was made, if it is not the first one
    previous_hash: Mapped[str | None] = mapped_column(String(64), unique=True)  # of the secret before, good for a while
    previous_until: Mapped[datetime | None]
    limits: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"read","write","upload"}: calls a minute
    dialect_scope: Mapped[dict[str, Any] | None]  # of one that another dialect made: its scope in the words of that


class Video(Base):
    """A video asset. `state` walks catalog/videos.TRANSITIONS; `playable` is a fact beside it."""

    __tablename__ = "videos"
    _LISTED: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("sqlite_where", "postgresql_where"), text("version_of IS NULL AND discarded_at IS NULL")
    )  # most lists: counted and walked in the index alone
    __table_args__ = (
        Index(None, "project_id", "created_at"), Index(None, "project_id", "live_stream_id"),
        Index("ix_videos_listed", "project_id", "created_at", "id", **_LISTED),
        Index("ix_videos_folder", "project_id", "folder_id", "created_at", "id", **_LISTED),
        Index("ix_videos_updated", "project_id", "updated_at", "id", "position", **_LISTED),
        Index("ix_videos_published", "project_id", "published_at", "id", "position", **_LISTED),
        Index("ix_videos_position", "position", "project_id", "discarded_at", "id"),
        Index("ix_videos_stored", "project_id", "shares_with", "material_id", "source_bytes", "own_bytes",
              "poster_bytes", "watermark_bytes"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("vi"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    position: Mapped[int | None] = mapped_column(BigInteger)  # of its words, in the order of creation; not of versions
    state: Mapped[str] = mapped_column(String(20), default="pending")
    playable: Mapped[bool] = mapped_column(default=False)
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text, default="")
    public: Mapped[bool] = mapped_column(default=True)
    panoramic: Mapped[bool] = mapped_column(default=False)
    mp4_support: Mapped[bool] = mapped_column(default=True)
    player_id: Mapped[str | None] = mapped_column(String(64))
    language: Mapped[str | None] = mapped_column(String(16))
    folder_id: Mapped[str | None] = mapped_column(_ID)  # None: it is at the top
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)  # values of the project's custom fields, by name
    tags: Mapped[list[Any]] = mapped_column(default=list)
    meta: Mapped[list[Any]] = mapped_column("metadata", default=list)  # [{"key","value"}]
    revision: Mapped[int] = mapped_column(Integer, default=1)  # of what is served: part of immutable URLs
    source_revision: Mapped[int] = mapped_column(Integer, default=1)  # of the file that renditions are made of
    duration_s: Mapped[float | None] = mapped_column(Float)
    media: Mapped[dict[str, Any] | None]  # what the probe found: container, streams, bit rate
    error: Mapped[dict[str, Any] | None]  # {"code","title","detail"} in state error
    source: Mapped[str | None] = mapped_column(String(16))  # upload | live, once it is known
    crop: Mapped[dict[str, Any] | None]  # fields of media.crops.Crop: what is shown of its pictures
    watermark: Mapped[dict[str, Any] | None]  # "id" and fields of media.watermarks.Watermark
    source_name: Mapped[str | None] = mapped_column(Text)  # the file's name at its sender's
    source_bytes: Mapped[int | None] = mapped_column(BigInteger)
    poster_at: Mapped[datetime | None]  # when a poster was made or uploaded
    poster_s: Mapped[float | None] = mapped_column(Float)  # the moment that its owner chose for it, seconds
    poster_given: Mapped[bool] = mapped_column(default=False)  # a picture of its owner's: it stays
    upload_id: Mapped[str | None] = mapped_column(_ID)
    live_stream_id: Mapped[str | None] = mapped_column(_ID)
    broadcast_id: Mapped[str | None] = mapped_column(_ID, index=True)
    segments: Mapped[dict[str, Any] | None]  # of a part of its broadcast: {"first","last"}, media sequence numbers
    own_bytes: Mapped[int | None] = mapped_column(BigInteger)  # where a version's is shown: of its own file, if kept
    # Whose bytes its file's are as well while they are there: the row that it is a link of, or a clip's broadcast.
    shares_with: Mapped[str | None] = mapped_column(_ID)
    poster_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of the poster in its own folder
    watermark_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of its own copy
    material_id: Mapped[str | None] = mapped_column(_ID)  # the version whose material is shown; None: its own
    version_of: Mapped[str | None] = mapped_column(_ID, index=True)  # the video that it is a version of; not listed
    edit: Mapped[dict[str, Any] | None]  # of a version, why it is made: {"reason"}, and more as vod.versions has it
    trim: Mapped[dict[str, Any] | None]  # what is left of the file: {"start","end"} in seconds, "of": who has it whole
    previous: Mapped[list[Any] | None]  # material that was shown before, kept for those who watch it
    previous_since: Mapped[datetime | None] = mapped_column(index=True)  # how long the oldest of it is kept
    archived_at: Mapped[datetime | None]
    tokens_valid_after: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)
    published_at: Mapped[datetime] = mapped_column(default=clock.now)
    discarded_at: Mapped[datetime | None] = mapped_column(index=True)  # deleted by its owner, who may take it back
    deletes_at: Mapped[datetime | None] = mapped_column(index=True)  # when it goes for good

    @property
    def altered(self) -> bool:
        """Whether its pictures are shown otherwise than its file has them, which is then not to be seen."""
        return self.crop is not None or self.watermark is not None

    @property
    def material(self) -> str:
        """The row whose files and renditions are shown."""
        return self.material_id or self.id


class Rendition(Base):
    """One rendition of a video at a revision of its source; its bytes lie under that. `state` walks
    catalog/renditions.TRANSITIONS."""

    __tablename__ = "renditions"
    _UNWEIGHED: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("sqlite_where", "postgresql_where"), text("stored_bytes IS NULL")
    )
    __table_args__ = (
        Index("ix_renditions_stored", "project_id", "video_id", "stored_bytes"),
        Index("ix_renditions_unweighed", "state", **_UNWEIGHED),
    )

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # also its folder: 720p, aac, text-en, …
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    kind: Mapped[str] = mapped_column(String(8))  # video | audio | text
    origin: Mapped[str] = mapped_column(String(8))  # source: copied | encoded | request: when asked for
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {"width","height","bitrate","language", …}
    segments: Mapped[int | None] = mapped_column(Integer)  # that it will have, once it is known
    error: Mapped[str | None] = mapped_column(Text)  # in state failed
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)  # of its segments; None: not looked at since it ended
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class TextTrack(Base):
    """Captions or chapters of a video in one language; the text is a file."""

    __tablename__ = "text_tracks"
    __table_args__ = (Index("ix_text_tracks_stored", "project_id", "video_id", "stored_bytes"),)

    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)  # captions | chapters
    language: Mapped[str] = mapped_column(String(35), primary_key=True)  # BCP 47
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    default: Mapped[bool] = mapped_column(default=False)  # of captions: shown unless the viewer turns them off
    origin: Mapped[str] = mapped_column(String(8), default="upload")  # upload | source: found in the video's file
    title: Mapped[str] = mapped_column(Text, default="")  # what viewers read, where a language has several
    version: Mapped[int] = mapped_column(Integer, default=1)  # of the text: part of immutable URLs
    words: Mapped[str | None] = mapped_column(Text, deferred=True)  # of captions, see catalog.words; None: not read yet
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Watermark(Base):
    """An image that is put over videos; each of those has a copy of its own."""

    __tablename__ = "watermarks"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("watermark_"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    width: Mapped[int] = mapped_column(Integer)  # pixels
    height: Mapped[int] = mapped_column(Integer)
    stored_bytes: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class LiveStream(Base):
    """Where a broadcaster publishes to, again and again; each time on air is a broadcast."""

    __tablename__ = "live_streams"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("li"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    state: Mapped[str] = mapped_column(String(16), default="idle")
    name: Mapped[str] = mapped_column(Text)
    stream_key: Mapped[str] = mapped_column(String(64), unique=True)  # shown to its owner again, so kept as it is
    backup_key: Mapped[str | None] = mapped_column(String(64), unique=True)  # of the second encoder, once asked for
    srt_passphrase: Mapped[str | None] = mapped_column(String(80))  # shown again too; None: publishers need none
    srt_min_key_bits: Mapped[int] = mapped_column(Integer, default=0)  # 128, 192 or 256; 0: any
    source_url: Mapped[str | None] = mapped_column(Text)  # pulled while the stream is enabled
    public: Mapped[bool] = mapped_column(default=True)
    record: Mapped[bool] = mapped_column(default=True)
    latency_mode: Mapped[str] = mapped_column(String(16), default="low")
    reconnect_window_s: Mapped[int] = mapped_column(Integer, default=60)
    renditions: Mapped[Any] = mapped_column(Json(), default="passthrough")  # "passthrough" | "ladder" | a list
    starts_at: Mapped[datetime | None]  # the schedule: nobody goes on air before, the broadcast completes at the end
    stops_at: Mapped[datetime | None]
    slate: Mapped[dict[str, Any] | None]  # what fills the reconnect window; its file is in the layout
    slate_bytes: Mapped[int | None] = mapped_column(BigInteger)
    retention: Mapped[dict[str, Any] | None]  # rules by which recordings are deleted
    player_id: Mapped[str | None] = mapped_column(String(64))
    restreams: Mapped[list[Any]] = mapped_column(default=list)
    tags: Mapped[list[Any]] = mapped_column(default=list)
    meta: Mapped[list[Any]] = mapped_column("metadata", default=list)
    broadcast_id: Mapped[str | None] = mapped_column(_ID)  # the one on air or, if none is, the last one
    gop_s: Mapped[float | None] = mapped_column(Float)  # last seen key-frame interval: sets the next target duration
    poster_at: Mapped[datetime | None]  # when its owner uploaded one
    poster_bytes: Mapped[int | None] = mapped_column(BigInteger)
    tokens_valid_after: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Broadcast(Base):
    """One continuous on-air period of a live stream, dropouts within the reconnect window included."""

    __tablename__ = "broadcasts"
    __table_args__ = (Index(None, "project_id", "live_stream_id", "started_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("br"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    live_stream_id: Mapped[str] = mapped_column(ForeignKey("live_streams.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(16), default="connecting", index=True)
    protocol: Mapped[str] = mapped_column(String(8))
    record: Mapped[bool] = mapped_column(default=True)
    latency_mode: Mapped[str] = mapped_column(String(16))
    renditions: Mapped[Any] = mapped_column(Json(), default="passthrough")  # the live stream's when it began
    target_duration_s: Mapped[int] = mapped_column(Integer)
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    live_at: Mapped[datetime | None]
    interrupted_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None] = mapped_column(Text)
    incomplete: Mapped[bool] = mapped_column(default=False)  # the disk could not take all of it
    # what was recorded of it: [{"first","last": number | null while it runs, "videoId": … | null}]
    recordings: Mapped[list[Any]] = mapped_column(default=list)
    video_id: Mapped[str | None] = mapped_column(_ID)  # of the last one that became a video


class Upload(Base):
    """Bytes on their way in. The offset on disk is the truth; `received` is what was last heard."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("up"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16), default="created", index=True)
    protocol: Mapped[str] = mapped_column(String(8))  # tus | request | fetch
    secret_hash: Mapped[str | None] = mapped_column(String(64))
    length: Mapped[int | None] = mapped_column(BigInteger)  # None: not told yet
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    parts: Mapped[dict[str, Any] | None]  # of an upload in parts: {"total": n | null, "received": {"1": bytes}}
    fetch: Mapped[dict[str, Any] | None]  # of one that is fetched: {"url", "tries", "begun", "validator", "complete"}
    filename: Mapped[str | None] = mapped_column(Text)
    filetype: Mapped[str | None] = mapped_column(Text)
    meta: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)  # Upload-Metadata as it came
    upload_token_id: Mapped[str | None] = mapped_column(_ID)  # or an upload session's
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)  # less than others may have
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)


class Import(Base):
    """Many videos ordered by one file."""

    __tablename__ = "imports"
    __table_args__ = (UniqueConstraint("project_id", "digest"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("im"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the file: the same again is the same import
    video_ids: Mapped[list[Any]]  # in the file's order, those that are not made yet too
    made: Mapped[int] = mapped_column(Integer, default=0)
    wishes: Mapped[list[Any]]  # what the others are made of
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class UploadToken(Base):
    """Lets its bearer upload one or more videos; the id is the token."""

    __tablename__ = "upload_tokens"
    __table_args__ = (Index(None, "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("to"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    ttl_s: Mapped[int] = mapped_column(Integer, default=0)  # 0: never expires
    expires_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class RevokedToken(Base):
    """A playback token that opens nothing any more, by its `jti`."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(String(64), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    expires_at: Mapped[datetime]  # the row can go when the token would have expired


class Event(Base):
    """What happened, in the order of its commit; webhooks, the feed and the audit log read it."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("object_id", "sequence"), Index(None, "project_id", "position"))

    position: Mapped[int] = mapped_column(Counter, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(_ID, unique=True, default=lambda: ids.new("ev"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    object_id: Mapped[str] = mapped_column(_ID)
    sequence: Mapped[int] = mapped_column(Integer)  # 1, 2, … for each object
    type: Mapped[str] = mapped_column(String(64), index=True)
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Job(Base):
    """Work that was ordered in the transaction of the fact that asks for it. Its id is the workflow's."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(_ID, primary_key=True, default=lambda: ids.new("jo"))
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id"))
    kind: Mapped[str] = mapped_column(String(32))
    lane: Mapped[str] = mapped_column(String(16), default="encode")  # kinds that share places
    priority: Mapped[int] = mapped_column(Integer, default=2)  # lower comes first
    turn: Mapped[int] = mapped_column(Integer, default=0)  # among those of one priority: projects take turns
    object_id: Mapped[str] = mapped_column(_ID, index=True)
    arguments: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    worker: Mapped[str | None] = mapped_column(_ID, index=True)  # whose it is until it has ended; None: it waits
    attempts: Mapped[int] = mapped_column(Integer, default=0)  # claimed and not given back
    started_at: Mapped[datetime | None]  # for the first time
    finished_at: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(Float, default=0.0)  # 0..1
    message: Mapped[str | None] = mapped_column(Text)  # what it is at
    ends_at: Mapped[datetime | None]  # at the rate at which it goes
    error: Mapped[str | None] = mapped_column(Text)  # "code: detail" of one that failed for good

    _WHERE: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("sqlite_where", "postgresql_where"), text("finished_at IS NULL AND worker IS NULL")
    )
    __table_args__ = (
        Index(None, "finished_at", "created_at"),
        Index("ix_jobs_waiting", "lane", "priority", "turn", "created_at", **_WHERE),
        Index("ix_jobs_turn", "project_id", "lane", "priority", "turn", **_WHERE),
    )
