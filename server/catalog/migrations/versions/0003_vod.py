"""Videos on demand: renditions, texts, watermarks, fetched files, deletion with a way back; jobs with priorities

Revision: 0003
Follows: 0002
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from server.catalog import types

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "renditions",
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("facts", types.Json(), nullable=False),
        sa.Column("segments", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_renditions_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_renditions_video_id_videos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "revision", "name", name=op.f("pk_renditions")),
    )
    op.create_table(
        "text_tracks",
        sa.Column("video_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("default", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.Column("updated_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_text_tracks_project_id_projects")),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name=op.f("fk_text_tracks_video_id_videos"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("video_id", "kind", "language", name=op.f("pk_text_tracks")),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("video_ids", types.Json(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("wishes", types.Json(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_imports_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
        sa.UniqueConstraint("project_id", "digest", name=op.f("uq_imports_project_id_digest")),
    )
    op.create_table(
        "watermarks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("project_id", sa.String(length=40), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", types.Utc(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_watermarks_project_id_projects")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watermarks")),
    )
    op.create_index(op.f("ix_watermarks_project_id_created_at"), "watermarks", ["project_id", "created_at"])
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("retention", types.Json(), nullable=True))
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.add_column(sa.Column("fetch", types.Json(), nullable=True))
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.add_column(sa.Column("poster_s", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("source_revision", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("crop", types.Json(), nullable=True))
        batch_op.add_column(sa.Column("watermark", types.Json(), nullable=True))
        batch_op.add_column(sa.Column("poster_given", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("material_id", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("version_of", sa.String(length=40), nullable=True))
        for name in ("edit", "trim", "previous"):
            batch_op.add_column(sa.Column(name, types.Json(), nullable=True))
        batch_op.add_column(sa.Column("previous_since", types.Utc(), nullable=True))
        batch_op.add_column(sa.Column("archived_at", types.Utc(), nullable=True))
        batch_op.add_column(sa.Column("discarded_at", types.Utc(), nullable=True))
        batch_op.add_column(sa.Column("deletes_at", types.Utc(), nullable=True))
        batch_op.create_index(batch_op.f("ix_videos_discarded_at"), ["discarded_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_videos_deletes_at"), ["deletes_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_videos_previous_since"), ["previous_since"], unique=False)
        batch_op.create_index(batch_op.f("ix_videos_version_of"), ["version_of"], unique=False)
    _grow_jobs()


def _grow_jobs() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lane", sa.String(length=16), nullable=False, server_default="encode"))
        batch_op.add_column(sa.Column("priority", sa.Integer(), nullable=False, server_default="2"))
        batch_op.add_column(sa.Column("turn", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("worker", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("progress", sa.Float(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("message", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("ends_at", types.Utc(), nullable=True))
    # what a server of the version before was at: it waits, and goes on with what its steps remember
    waits = sa.text("finished_at IS NULL AND worker IS NULL")
    partial: dict[str, Any] = {"sqlite_where": waits, "postgresql_where": waits}
    op.create_index("ix_jobs_waiting", "jobs", ["lane", "priority", "turn", "created_at"], **partial)
    op.create_index("ix_jobs_turn", "jobs", ["project_id", "lane", "priority", "turn"], **partial)
    op.create_index("ix_jobs_worker", "jobs", ["worker"])


def downgrade() -> None:
    for index in ("ix_jobs_worker", "ix_jobs_turn", "ix_jobs_waiting"):
        op.drop_index(index, "jobs")
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        for column in ("ends_at", "message", "progress", "worker", "turn", "priority", "lane"):
            batch_op.drop_column(column)
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_videos_version_of"))
        batch_op.drop_index(batch_op.f("ix_videos_previous_since"))
        batch_op.drop_index(batch_op.f("ix_videos_deletes_at"))
        batch_op.drop_index(batch_op.f("ix_videos_discarded_at"))
        batch_op.drop_column("deletes_at")
        batch_op.drop_column("discarded_at")
        batch_op.drop_column("watermark")
        batch_op.drop_column("crop")
        for name in ("archived_at", "previous_since", "previous", "trim", "edit"):
            batch_op.drop_column(name)
        for name in ("version_of", "material_id", "poster_given"):
            batch_op.drop_column(name)
        batch_op.drop_column("source_revision")
        batch_op.drop_column("poster_s")
    with op.batch_alter_table("uploads", schema=None) as batch_op:
        batch_op.drop_column("fetch")
    with op.batch_alter_table("projects", schema=None) as batch_op:
        batch_op.drop_column("retention")
    op.drop_table("watermarks")
    op.drop_table("imports")
    op.drop_table("text_tracks")
    op.drop_table("renditions")
