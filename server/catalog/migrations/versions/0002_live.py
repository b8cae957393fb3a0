"""Live control: backup key, SRT, renditions, sources, schedules, slates, retention; intervals of recordings

Revision: 0002
Follows: 0001
"""

import sqlalchemy as sa
from alembic import op

from server import ids
from server.catalog import types

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("live_streams", schema=None) as batch_op:
        batch_op.add_column(sa.Column("backup_key", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("srt_passphrase", sa.String(length=80), nullable=True))
        batch_op.add_column(sa.Column("srt_min_key_bits", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("renditions", types.Json(), nullable=False, server_default='"passthrough"'))
        batch_op.add_column(sa.Column("source_url", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("starts_at", types.Utc(), nullable=True))
        batch_op.add_column(sa.Column("stops_at", types.Utc(), nullable=True))
        batch_op.add_column(sa.Column("slate", types.Json(), nullable=True))
        batch_op.add_column(sa.Column("retention", types.Json(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f("uq_live_streams_backup_key"), ["backup_key"])

    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("renditions", types.Json(), nullable=False, server_default='"passthrough"'))
        batch_op.add_column(sa.Column("recordings", types.Json(), nullable=False, server_default="[]"))

    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.add_column(sa.Column("segments", types.Json(), nullable=True))

    _name_restreams()


def _name_restreams() -> None:
    """Targets of restreaming get ids."""
    table = sa.table("live_streams", sa.column("id", sa.String), sa.column("restreams", types.Json()))
    connection = op.get_bind()
    for stream_id, entries in connection.execute(sa.select(table.c.id, table.c.restreams)).all():
        named = [{"restreamId": ids.new("rs"), "enabled": True, **entry} for entry in entries]
        if entries:
            connection.execute(table.update().where(table.c.id == stream_id).values(restreams=named))


def downgrade() -> None:
    with op.batch_alter_table("videos", schema=None) as batch_op:
        batch_op.drop_column("segments")

    with op.batch_alter_table("broadcasts", schema=None) as batch_op:
        batch_op.drop_column("recordings")
        batch_op.drop_column("renditions")

    with op.batch_alter_table("live_streams", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_live_streams_backup_key"), type_="unique")
        for name in (
            "retention",
            "slate",
            "stops_at",
            "starts_at",
            "source_url",
            "renditions",
            "srt_min_key_bits",
            "srt_passphrase",
            "backup_key",
        ):
            batch_op.drop_column(name)
