"""Control plane: players, summaries, what was watched; callers and their calls; webhooks; who may watch

Revision: 0004
Follows: 0003
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from server.catalog import dialects, indexing, types

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# What is kept beside videos and live streams, in bytes.
_SIZES = {
    "videos": ("poster_bytes", "watermark_bytes"), "text_tracks": ("stored_bytes",), "watermarks": ("stored_bytes",),
    "live_streams": ("poster_bytes", "slate_bytes"),
}  # fmt: skip
_LISTS = {
    "ix_videos_listed": ["created_at"],
    "ix_videos_folder": ["folder_id", "created_at"],
    "ix_videos_updated": ["updated_at"],
    "ix_videos_published": ["published_at"],
}
_WALKED = ("ix_videos_updated", "ix_videos_published")  # past videos that are looked up by their positions


def upgrade() -> None:
    _players()
    _summaries()
    _playback()
    _partial_uploads()
    _upload_sessions()
    _stored_answers()
    _webhooks()
    _api_keys()
    _audit_entries()
    _folders()
    _collections()
    _lists()
    _usage_days()
    _playlists()
    _tag_names()
    _privacy_domains()
    _file_requests()
    _drm_callbacks()
    _delivery_zones()
    _live_events()
    _libraries()
    _playback_restrictions()
    _playback_ids()
    _signing_keys()
    _oauth()


def _players() -> None:
    op.create_table(
        "players",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("theme", types.Json(), nullable=False),
        sa.Column("logo_at", types.Utc(), nullable=True),
        sa.Column("logo_link", sa.Text(), nullable=True),
        sa.Column("logo_bytes", sa.BigInteger(), nullable=True),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("ads", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_players_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_players")),
    )
    op.create_index("ix_players_project_id_created_at", "players", ["project_id", "created_at"])


def _summaries() -> None:
    op.create_table(
        "summaries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=True),
        sa.Column("takeaways", types.Json(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_summaries_project_id")),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_summaries_video_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summaries")),
        sa.UniqueConstraint("video_id", name=op.f("uq_summaries_video_id")),
    )
    op.create_index("ix_summaries_project_id_created_at", "summaries", ["project_id", "created_at"])


def _playback() -> None:
    op.create_table(
        "playback_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("media_id", sa.String(length=40), nullable=False),
        sa.Column("media_type", sa.String(length=16), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("loaded_at", types.Utc(), nullable=False),
        sa.Column("played_at", types.Utc(), nullable=True),
        sa.Column("heard_at", types.Utc(), nullable=False),
        sa.Column("plays", sa.Integer(), nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Integer(), nullable=False),
        sa.Column("watched_s", sa.Float(), nullable=False),
        sa.Column("waited_ms", sa.Integer(), nullable=True),
        sa.Column("continent", sa.String(length=2), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("device_type", sa.String(length=16), nullable=False),
        sa.Column("operating_system", sa.String(length=32), nullable=False),
        sa.Column("browser", sa.String(length=32), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playback_sessions_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_sessions")),
    )
    op.create_index("ix_playback_sessions_project_id_loaded_at", "playback_sessions", ["project_id", "loaded_at"])
    op.create_index("ix_playback_sessions_media_id_loaded_at", "playback_sessions", ["media_id", "loaded_at"])
    op.create_index("ix_playback_sessions_loaded_at", "playback_sessions", ["loaded_at"])
    op.create_table(
        "playback_totals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("media_id", sa.String(length=40), nullable=False),
        sa.Column("media_type", sa.String(length=16), nullable=False),
        sa.Column("continent", sa.String(length=2), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("device_type", sa.String(length=16), nullable=False),
        sa.Column("operating_system", sa.String(length=32), nullable=False),
        sa.Column("browser", sa.String(length=32), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.Column("plays", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playback_totals_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_totals")),
    )
    op.create_index("ix_playback_totals_project_id_media_id", "playback_totals", ["project_id", "media_id"])
    op.create_table(
        "playback_events",
        sa.Column("position", types.Counter, autoincrement=True, nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("emitted_at", types.Utc(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=True),
        sa.Column("from_ms", sa.BigInteger(), nullable=True),
        sa.Column("to_ms", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playback_events_project_id")),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["playback_sessions.id"],
            name=op.f("fk_playback_events_session_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_playback_events")),
    )
    op.create_index("ix_playback_events_session_id_position", "playback_events", ["session_id", "position"])


def _partial_uploads() -> None:
    op.create_table(
        "partial_uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=True),
        sa.Column("metadata", types.Json(), nullable=False),
        sa.Column("upload_token_id", sa.String(length=40), nullable=True),
        sa.Column("upload_id", sa.String(length=40), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_partial_uploads_project_id")),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name=op.f("fk_partial_uploads_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partial_uploads")),
    )
    for column in ("upload_id", "expires_at"):
        op.create_index(f"ix_partial_uploads_{column}", "partial_uploads", [column])


def _upload_sessions() -> None:
    op.add_column("uploads", sa.Column("max_bytes", sa.BigInteger(), nullable=True))
    op.create_table(
        "upload_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=True),
        sa.Column("upload_id", sa.String(length=40), nullable=True),
        sa.Column("max_bytes", sa.BigInteger(), nullable=True),
        sa.Column("max_duration_s", sa.Float(), nullable=True),
        sa.Column("types", types.Json(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("wish", types.Json(), nullable=False),
        sa.Column("passthrough", sa.Text(), nullable=True),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_upload_sessions_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload_sessions")),
    )
    for columns in (["project_id", "created_at"], ["state", "expires_at"]):
        op.create_index(f"ix_upload_sessions_{'_'.join(columns)}", "upload_sessions", columns)


def _stored_answers() -> None:
    op.create_table(
        "stored_answers",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_stored_answers_project_id_projects"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("project_id", "key_hash", name=op.f("pk_stored_answers")),
    )
    op.create_index("ix_stored_answers_expires_at", "stored_answers", ["expires_at"])


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("events", types.Json(), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("old_secret", sa.String(length=80), nullable=True),
        sa.Column("old_secret_until", types.Utc(), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", types.Utc(), nullable=True),
        sa.Column("disabled_at", types.Utc(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_webhooks_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_project_id_created_at", "webhooks", ["project_id", "created_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("webhook_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("in_line", sa.Boolean(), nullable=False),
        sa.Column("due_at", types.Utc(), nullable=True),
        sa.Column("worker", sa.String(length=40), nullable=True),
        sa.Column("leased_until", types.Utc(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", types.Utc(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("log", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("ended_at", types.Utc(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_deliveries_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name=op.f("fk_deliveries_webhook_id_webhooks"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("webhook_id", "position", name=op.f("uq_deliveries_webhook_id_position")),
    )
    op.create_index("ix_deliveries_ended_at", "deliveries", ["ended_at"])
    op.create_index("ix_deliveries_webhook_id_state_position", "deliveries", ["webhook_id", "state", "position"])
    op.create_index("ix_deliveries_state_created_at", "deliveries", ["state", "created_at"])
    for name, columns, condition in (
        ("ix_deliveries_due", ["webhook_id", "due_at"], "due_at IS NOT NULL"),
        ("ix_deliveries_held", ["worker"], "worker IS NOT NULL"),
        ("ix_deliveries_line", ["webhook_id", "object_id", "sequence"], "in_line"),
    ):
        on_sqlite = condition if " " in condition else f"{condition} = 1"
        op.create_index(
            name, "deliveries", columns, sqlite_where=sa.text(on_sqlite), postgresql_where=sa.text(condition)
        )


def _api_keys() -> None:
    with op.batch_alter_table("projects") as batch:
        batch.add_column(sa.Column("sandbox", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("api_keys") as batch:
        batch.add_column(sa.Column("rotated_at", types.Utc(), nullable=True))
        batch.add_column(sa.Column("previous_hash", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("previous_until", types.Utc(), nullable=True))
        batch.add_column(sa.Column("limits", types.Json(), nullable=False, server_default="{}"))
        batch.add_column(sa.Column("dialect_scope", types.Json(), nullable=True))
        batch.create_unique_constraint(op.f("uq_api_keys_previous_hash"), ["previous_hash"])


def _playback_restrictions() -> None:
    op.create_table(
        "playback_restrictions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rules", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playback_restrictions_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_restrictions")),
    )
    op.create_index(
        "ix_playback_restrictions_project_id_created_at", "playback_restrictions", ["project_id", "created_at"]
    )


def _playback_ids() -> None:
    op.create_table(
        "playback_ids",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=True),
        sa.Column("live_stream_id", sa.String(length=40), nullable=True),
        sa.Column("policy", sa.String(length=8), nullable=False),
        sa.Column("restriction_id", sa.String(length=40), nullable=True),
        sa.Column("ends_at", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playback_ids_project_id")),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_playback_ids_video_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["live_stream_id"], ["live_streams.id"], name=op.f("fk_playback_ids_live_stream_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["restriction_id"], ["playback_restrictions.id"], name=op.f("fk_playback_ids_restriction_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playback_ids")),
    )
    for columns in (
        ["video_id", "created_at"], ["live_stream_id", "created_at"], ["project_id"], ["restriction_id"], ["ends_at"],
    ):  # fmt: skip
        op.create_index(f"ix_playback_ids_{'_'.join(columns)}", "playback_ids", columns)


def _oauth() -> None:
    op.create_table(
        "oauth_apps",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("redirect_uris", types.Json(), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("confidential", sa.Boolean(), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_oauth_apps_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_apps")),
    )
    op.create_index("ix_oauth_apps_project_id_created_at", "oauth_apps", ["project_id", "created_at"])
    op.create_table(
        "oauth_grants",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("app_id", sa.String(length=40), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.Column("scopes", types.Json(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("code_challenge", sa.String(length=128), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("code_expires_at", types.Utc(), nullable=False),
        sa.Column("refresh_number", sa.Integer(), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=False),
        sa.Column("used_at", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_oauth_grants_project_id")),
        sa.ForeignKeyConstraint(
            ["app_id"], ["oauth_apps.id"], name=op.f("fk_oauth_grants_app_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_grants")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_oauth_grants_code_hash")),
    )
    for columns in (["project_id", "created_at"], ["app_id"], ["expires_at"]):
        op.create_index(f"ix_oauth_grants_{'_'.join(columns)}", "oauth_grants", columns)


def _signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.String(length=8), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_signing_keys_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_index("ix_signing_keys_project_id_created_at", "signing_keys", ["project_id", "created_at"])


def _audit_entries() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("position", types.Counter, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=40), nullable=True),
        sa.Column("operation", sa.String(length=128), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("object_type", sa.String(length=40), nullable=True),
        sa.Column("object_id", sa.String(length=64), nullable=True),
        sa.Column("before", types.Json(), nullable=True),
        sa.Column("after", types.Json(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_audit_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_audit_entries_id")),
    )
    for columns in (
        ["project_id", "position"], ["project_id", "object_id", "position"], ["actor_id"], ["created_at"],
    ):  # fmt: skip
        op.create_index(f"ix_audit_entries_{'_'.join(columns)}", "audit_entries", columns)


def _folders() -> None:
    op.create_table(
        "folders",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_folders_project_id_projects")),
        sa.ForeignKeyConstraint(["parent_id"], ["folders.id"], name=op.f("fk_folders_parent_id_folders")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_folders")),
    )
    op.create_index("ix_folders_project_id_parent_id_name", "folders", ["project_id", "parent_id", "name"])
    op.create_index("ix_folders_project_id_created_at", "folders", ["project_id", "created_at"])
    op.add_column("videos", sa.Column("folder_id", sa.String(length=40), nullable=True))


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_collections_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collections")),
    )
    op.create_index("ix_collections_project_id_created_at", "collections", ["project_id", "created_at"])
    op.create_table(
        "collection_videos",
        sa.Column("collection_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.ForeignKeyConstraint(["collection_id"], ["collections.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("collection_id", "video_id", name=op.f("pk_collection_videos")),
    )
    op.create_index("ix_collection_videos_collection_id_rank", "collection_videos", ["collection_id", "rank"])
    op.create_index("ix_collection_videos_video_id", "collection_videos", ["video_id"])


def _lists() -> None:
    """Custom fields, words, and what lists of videos are walked by."""
    op.create_table(
        "custom_fields",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("choices", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_custom_fields")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_custom_fields_project_id_name")),
    )
    op.create_table(
        "custom_values",
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("field_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["field_id"], ["custom_fields.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("video_id", "field_id", name=op.f("pk_custom_values")),
    )
    for column in ("text", "number"):
        columns = ["field_id", "listed", column, "position", "video_id"]
        op.create_index(f"ix_custom_values_{column}s", "custom_values", columns)
    op.add_column("videos", sa.Column("custom", types.Json(), nullable=False, server_default="{}"))
    op.add_column("videos", sa.Column("position", sa.BigInteger(), nullable=True))
    op.add_column("videos", sa.Column("own_bytes", sa.BigInteger(), nullable=True))
    op.add_column("text_tracks", sa.Column("words", sa.Text(), nullable=True))
    op.add_column("renditions", sa.Column("stored_bytes", sa.BigInteger(), nullable=True))
    op.create_index("ix_renditions_stored", "renditions", ["project_id", "video_id", "stored_bytes"])
    _sizes()
    unweighed = sa.text("stored_bytes IS NULL")
    op.create_index(
        "ix_renditions_unweighed", "renditions", ["state"], sqlite_where=unweighed, postgresql_where=unweighed
    )
    listed = sa.text("version_of IS NULL AND discarded_at IS NULL")
    for name, columns in _LISTS.items():
        walked = ["position"] if name in _WALKED else []
        columns = ["project_id", *columns, "id", *walked]
        op.create_index(name, "videos", columns, sqlite_where=listed, postgresql_where=listed)
    _words()


def _words() -> None:
    op.create_table(
        "video_words",
        sa.Column("position", types.Counter, autoincrement=False, nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("spoken", sa.Text(), nullable=False, server_default=""),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_video_words")),
        sa.UniqueConstraint("video_id", name=op.f("uq_video_words_video_id")),
    )
    bind = op.get_bind()
    sqlite = bind.dialect.name == "sqlite"
    for statement in dialects.SQLITE_SEARCH if sqlite else dialects.POSTGRESQL_SEARCH:
        op.execute(statement)
    if sqlite:  # in their order; PostgreSQL takes no long title into an index
        op.execute(
            "CREATE INDEX search_videos_in_order ON videos (project_id, title, id, position) "
            "WHERE version_of IS NULL AND discarded_at IS NULL"
        )
    for statement in dialects.SQLITE_TEXTS if sqlite else _trigrams(bind):
        op.execute(statement)
    _fill_words(bind)
    op.create_index("ix_videos_position", "videos", ["position", "project_id", "discarded_at", "id"])


def _sizes() -> None:
    op.add_column("videos", sa.Column("shares_with", sa.String(length=40), nullable=True))
    for table, columns in _SIZES.items():
        for column in columns:
            op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=True))
    summed = ["shares_with", "material_id", "source_bytes", "own_bytes", "poster_bytes", "watermark_bytes"]
    op.create_index("ix_videos_stored", "videos", ["project_id", *summed])
    op.create_index("ix_text_tracks_stored", "text_tracks", ["project_id", "video_id", "stored_bytes"])


def _trigrams(bind: sa.Connection) -> Sequence[str]:
    """Statements of PostgreSQL, where its operator has the extension, or lets us have it."""
    try:
        with bind.begin_nested():
            bind.execute(sa.text(f"CREATE EXTENSION IF NOT EXISTS {dialects.POSTGRESQL_TRIGRAMS}"))
    except sa.exc.DBAPIError:
        return ()
    return dialects.POSTGRESQL_TEXTS


def _fill_words(bind: sa.Connection) -> None:
    """Of the videos that there are."""
    videos = sa.table(
        "videos", *(sa.column(name) for name in ("id", "project_id", "title", "description", "version_of")),
        sa.column("position"),
        sa.column("tags", types.Json()), sa.column("metadata", types.Json()),
        sa.column("created_at", types.Utc()), sa.column("discarded_at", types.Utc()),
    )  # fmt: skip
    words = sa.table("video_words", *(sa.column(n) for n in ("position", "video_id", "project_id", "words", "marks")))
    position = 0
    rows = sa.select(videos).where(videos.c.version_of.is_(None)).order_by(videos.c.created_at, videos.c.id)
    for row in bind.execute(rows).all():
        position = max(position + 1, indexing.position_of(row.created_at, 0))
        found = indexing.entry(
            row.project_id, None, row.discarded_at is not None, (row.title, row.description), row.tags, row.metadata, {}
        )
        ids = {"position": position, "video_id": row.id, "project_id": row.project_id}
        bind.execute(sa.insert(words).values(**ids, **found))
        bind.execute(sa.update(videos).where(videos.c.id == row.id).values(position=position))


def _undo_lists() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("search_videos_in_order", "videos")
        for trigger in dialects.SQLITE_TEXT_TRIGGERS:
            op.execute(f"DROP TRIGGER {trigger}")
        op.execute("DROP TABLE video_texts_index")
        op.execute("DROP TABLE video_words_index")
    else:
        for name in ("titles", "descriptions"):
            op.execute(f"DROP INDEX IF EXISTS search_videos_{name}")
    op.drop_table("video_words")
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP FUNCTION search_words")
    for name in (*_LISTS, "ix_videos_position"):
        op.drop_index(name, "videos")
    op.drop_column("videos", "position")
    op.drop_index("ix_videos_stored", "videos")
    op.drop_index("ix_text_tracks_stored", "text_tracks")
    for table, columns in _SIZES.items():
        for column in columns:
            op.drop_column(table, column)
    op.drop_column("videos", "shares_with")
    op.drop_column("videos", "own_bytes")
    op.drop_column("text_tracks", "words")
    for name in ("ix_renditions_stored", "ix_renditions_unweighed"):
        op.drop_index(name, "renditions")
    op.drop_column("renditions", "stored_bytes")
    op.drop_column("videos", "custom")
    op.drop_table("custom_values")
    op.drop_table("custom_fields")


def _usage_days() -> None:
    op.create_table(
        "usage_days",
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("delivered_bytes", sa.BigInteger(), nullable=False),
        sa.Column("encoded_ms", sa.BigInteger(), nullable=False),
        sa.Column("live_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("project_id", "day", name=op.f("pk_usage_days")),
    )


def _playlists() -> None:
    op.create_table(
        "playlists",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("player_id", sa.String(length=40), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("privacy_type", sa.String(length=16), nullable=False),
        sa.Column("privacy_domains", types.Json(), nullable=False),
        sa.Column("tags", types.Json(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_playlists_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_playlists")),
    )
    op.create_index("ix_playlists_project_id_created_at", "playlists", ["project_id", "created_at"])
    op.create_table(
        "playlist_entries",
        sa.Column("playlist_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["playlist_id"], ["playlists.id"], name="fk_entries_playlist", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name="fk_entries_video", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_entries_project"),
        sa.PrimaryKeyConstraint("playlist_id", "video_id", name=op.f("pk_playlist_entries")),
    )
    op.create_index("ix_playlist_entries_video_id", "playlist_entries", ["video_id"])


def _tag_names() -> None:
    op.create_table(
        "tag_names",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        *_archived(),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_tag_names_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_names")),
        sa.UniqueConstraint("project_id", "value", name=op.f("uq_tag_names_project_id_value")),
    )


def _privacy_domains() -> None:
    op.create_table(
        "privacy_domains",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        *_archived(),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_privacy_domains_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_privacy_domains")),
        sa.UniqueConstraint("project_id", "domain", name=op.f("uq_privacy_domains_project_id_domain")),
    )


def _archived() -> list[sa.Column[Any]]:
    return [
        sa.Column("archived_at", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
    ]


def _file_requests() -> None:
    op.create_table(
        "file_requests",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("location_id", sa.String(length=40), nullable=True),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("expires_at", types.Utc(), nullable=True),
        sa.Column("archived_at", types.Utc(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_file_requests_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_file_requests")),
    )
    op.create_index("ix_file_requests_project_id_created_at", "file_requests", ["project_id", "created_at"])
    op.create_index("ix_file_requests_token", "file_requests", ["token"])


def _drm_callbacks() -> None:
    op.create_table(
        "drm_callbacks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_drm_callbacks_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drm_callbacks")),
        sa.UniqueConstraint("project_id", "parent_id", name=op.f("uq_drm_callbacks_project_id_parent_id")),
    )


def _delivery_zones() -> None:
    op.create_table(
        "delivery_zones",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("origins", types.Json(), nullable=False),
        sa.Column("access_control", types.Json(), nullable=False),
        sa.Column("settings", types.Json(), nullable=False),
        sa.Column("playlist_ttl_s", sa.Integer(), nullable=True),
        sa.Column("segment_ttl_s", sa.Integer(), nullable=True),
        sa.Column("max_lines", sa.Integer(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_delivery_zones_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_zones")),
    )
    op.create_index("ix_delivery_zones_project_id_created_at", "delivery_zones", ["project_id", "created_at"])


def _live_events() -> None:
    op.create_table(
        "live_events",
        sa.Column("live_stream_id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subtitle", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("record_parent_id", sa.String(length=40), nullable=True),
        sa.Column("facts", types.Json(), nullable=False),
        sa.ForeignKeyConstraint(
            ["live_stream_id"], ["live_streams.id"], name="fk_live_events_live_stream", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_live_events_project_id_projects")),
        sa.PrimaryKeyConstraint("live_stream_id", name=op.f("pk_live_events")),
    )
    for column in ("project_id", "parent_id"):
        op.create_index(f"ix_live_events_{column}", "live_events", [column])


def _libraries() -> None:
    op.create_table(
        "library_settings",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("privacy", sa.String(length=16), nullable=False),
        sa.Column("domains", types.Json(), nullable=False),
        sa.Column("player_id", sa.String(length=64), nullable=True),
        sa.Column("encrypted", sa.Boolean(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["folders.id"], name=op.f("fk_library_settings_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_library_settings_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_library_settings")),
    )
    op.create_index("ix_library_settings_project_id", "library_settings", ["project_id"])
    _of_videos(
        "video_details",
        sa.Column("subtitle", sa.Text(), nullable=False),
        sa.Column("privacy", sa.String(length=16), nullable=True),
        sa.Column("domains", types.Json(), nullable=False),
        sa.Column("chapters", types.Json(), nullable=False),
        sa.Column("chapters_shown", sa.Boolean(), nullable=False),
        sa.Column("captions_order", types.Json(), nullable=False),
        sa.Column("materials_shown", sa.Boolean(), nullable=False),
        sa.Column("preview", types.Json(), nullable=True),
        sa.PrimaryKeyConstraint("video_id", name=op.f("pk_video_details")),
    )
    _of_videos(
        "posters",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posters")),
    )
    op.create_index("ix_posters_video_id_created_at", "posters", ["video_id", "created_at"])
    _of_videos(
        "annotations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("poster_id", sa.String(length=40), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_annotations")),
    )
    op.create_index("ix_annotations_video_id_start_ms", "annotations", ["video_id", "start_ms"])
    _of_videos(
        "materials",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("filetype", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_materials")),
    )
    op.create_index("ix_materials_video_id_position", "materials", ["video_id", "position"])


def _of_videos(table: str, *more: "sa.Column[Any] | sa.Constraint") -> None:
    """A table of what belongs to a video and goes with it."""
    op.create_table(
        table,
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("video_id", sa.String(length=40), nullable=False),
        *more,
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f(f"fk_{table}_project_id")),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], name=op.f(f"fk_{table}_video_id"), ondelete="CASCADE"),
    )
    op.create_index(f"ix_{table}_project_id", table, ["project_id"])


def downgrade() -> None:
    for table in ("oauth_grants", "oauth_apps", "signing_keys", "playback_ids", "playback_restrictions"):
        op.drop_table(table)
    for table in (
        "materials", "annotations", "posters", "video_details", "library_settings",
        "live_events", "delivery_zones", "drm_callbacks", "file_requests", "privacy_domains", "tag_names",
        "playlist_entries", "playlists",
    ):  # fmt: skip
        op.drop_table(table)
    op.drop_table("upload_sessions")
    op.drop_column("uploads", "max_bytes")
    op.drop_table("usage_days")
    op.drop_table("collection_videos")
    op.drop_table("collections")
    _undo_lists()
    op.drop_column("videos", "folder_id")
    op.drop_table("folders")
    op.drop_table("audit_entries")
    with op.batch_alter_table("projects") as batch:
        batch.drop_column("sandbox")
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_constraint(op.f("uq_api_keys_previous_hash"), type_="unique")
        for column in ("rotated_at", "previous_hash", "previous_until", "limits", "dialect_scope"):
            batch.drop_column(column)
    for table in (
        "deliveries", "webhooks", "stored_answers", "partial_uploads", "playback_events", "playback_sessions",
        "playback_totals", "summaries", "players",
    ):  # fmt: skip
        op.drop_table(table)
