"""First tables

Revision: 0001
Follows:
"""

import sqlalchemy as sa
from alembic import op

from server.catalog import types

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_projects")),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_settings")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("last_used_at", types.Utc(), nullable=True),
        sa.Column("expires_at", types.Utc(), nullable=True),
        sa.Column("revoked_at", types.Utc(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_api_keys_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_keys_hash")),
    )
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_keys_project_id"), ["project_id"], unique=False)

    op.create_table(
        "events",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("payload", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_events_project_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_events")),
        sa.UniqueConstraint("id", name=op.f("uq_events_id")),
        sa.UniqueConstraint("object_id", "sequence", name=op.f("uq_events_object_id_sequence")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_project_id_position"), ["project_id", "position"], unique=False)
        batch_op.create_index(batch_op.f("ix_events_type"), ["type"], unique=False)

    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("arguments", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("started_at", types.Utc(), nullable=True),
        sa.Column("finished_at", types.Utc(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_jobs_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_jobs_finished_at_created_at"), ["finished_at", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_jobs_object_id"), ["object_id"], unique=False)

    op.create_table(
        "live_streams",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("stream_key", sa.String(length=64), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("latency_mode", sa.String(length=16), nullable=False),
        sa.Column("reconnect_window_s", sa.Integer(), nullable=False),
        sa.Column("player_id", sa.String(length=64), nullable=True),
        sa.Column("restreams", types.Json(), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("metadata", types.Json(), nullable=False),
        sa.Column("broadcast_id", sa.String(length=40), nullable=True),
        sa.Column("gop_s", sa.Float(), nullable=True),
        sa.Column("poster_at", types.Utc(), nullable=True),
        sa.Column("tokens_valid_after", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_live_streams_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_live_streams")),
        sa.UniqueConstraint("stream_key", name=op.f("uq_live_streams_stream_key")),
    )
    with op.batch_alter_table("live_streams", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_live_streams_project_id_created_at"), ["project_id", "created_at"], unique=False
        )

    op.create_table(
        "revoked_tokens",
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_revoked_tokens_project_id")),
        sa.PrimaryKeyConstraint("jti", name=op.f("pk_revoked_tokens")),
    )
    op.create_table(
        "upload_tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("ttl_s", sa.Integer(), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_upload_tokens_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_tokens")),
    )
    with op.batch_alter_table("upload_tokens", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_upload_tokens_project_id_created_at"), ["project_id", "created_at"], unique=False
        )

    op.create_table(
        "videos",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("playable", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("panoramic", sa.Boolean(), nullable=False),
        sa.Column("mp4_support", sa.Boolean(), nullable=False),
        sa.Column("player_id", sa.String(length=64), nullable=True),
        sa.Column("language", sa.String(length=16), nullable=True),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("metadata", types.Json(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=True),
        sa.Column("media", types.Json(), nullable=True),
        sa.Column("error", types.Json(), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.Column("source_name", sa.Text(), nullable=True),
        sa.Column("source_bytes", sa.BigInteger(), nullable=True),
        sa.Column("poster_at", types.Utc(), nullable=True),
        sa.Column("upload_id", sa.String(length=40), nullable=True),
        sa.Column("live_stream_id", sa.String(length=40), nullable=True),
        sa.Column("broadcast_id", sa.String(length=40), nullable=True),
        sa.Column("tokens_valid_after", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.Column("published_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_videos_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_videos")),
    )
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_videos_broadcast_id"), ["broadcast_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_videos_project_id_created_at"), ["project_id", "created_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_videos_project_id_live_stream_id"), ["project_id", "live_stream_id"], unique=False
        )

    op.create_table(
        "broadcasts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("live_stream_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("record", sa.Boolean(), nullable=False),
        sa.Column("latency_mode", sa.String(length=16), nullable=False),
        sa.Column("target_duration_s", sa.Integer(), nullable=False),
        sa.Column("started_at", types.Utc(), nullable=False),
        sa.Column("live_at", types.Utc(), nullable=True),
        sa.Column("interrupted_at", types.Utc(), nullable=True),
        sa.Column("ended_at", types.Utc(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("incomplete", sa.Boolean(), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(
            ["live_stream_id"], ["live_streams.id"], name=op.f("fk_broadcasts_live_stream_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_broadcasts_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broadcasts")),
    )
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_broadcasts_project_id_live_stream_id_started_at"),
            ["project_id", "live_stream_id", "started_at"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_broadcasts_state"), ["state"], unique=False)

    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("protocol", sa.String(length=8), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("parts", types.Json(), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("filetype", sa.Text(), nullable=True),
        sa.Column("metadata", types.Json(), nullable=False),
        sa.Column("upload_token_id", sa.String(length=40), nullable=True),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_uploads_project_id")),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name=op.f("fk_uploads_video_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_uploads_state"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("ix_uploads_video_id"), ["video_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_uploads_video_id"))
        batch_op.drop_index(batch_op.f("ix_uploads_state"))

    op.drop_table("uploads")
    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_broadcasts_state"))
        batch_op.drop_index(batch_op.f("ix_broadcasts_project_id_live_stream_id_started_at"))

    op.drop_table("broadcasts")
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_videos_project_id_live_stream_id"))
        batch_op.drop_index(batch_op.f("ix_videos_project_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_videos_broadcast_id"))

    op.drop_table("videos")
    with op.batch_alter_table("upload_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_upload_tokens_project_id_created_at"))

    op.drop_table("upload_tokens")
    op.drop_table("revoked_tokens")
    with op.batch_alter_table("live_streams", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_live_streams_project_id_created_at"))

    op.drop_table("live_streams")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_jobs_object_id"))
        batch_op.drop_index(batch_op.f("ix_jobs_finished_at_created_at"))

    op.drop_table("jobs")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_type"))
        batch_op.drop_index(batch_op.f("ix_events_project_id_position"))

    op.drop_table("events")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_keys_project_id"))

    op.drop_table("api_keys")
    op.drop_table("settings")
    op.drop_table("projects")
