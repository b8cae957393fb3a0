"""Alembic's entry: runs the revisions on the connection that Database hands over."""

from typing import Any

from alembic import context
from sqlalchemy import create_engine, pool

from server.catalog import (
    access_models,
    control_models,
    library_models,
    oauth_models,
    organisation_models,
    playback_models,
    sharing_models,
    upload_models,
    usage_models,
    webhook_models,
)
from server.catalog.models import Base

# imported for the tables that they add to the metadata
TABLES = (
    access_models,
    control_models,
    library_models,
    oauth_models,
    organisation_models,
    playback_models,
    sharing_models,
    usage_models,
    upload_models,
    webhook_models,
)


def own_table(thing: Any, name: str | None, kind: str, _reflected: bool, _compared: Any) -> bool:
    """The job engine keeps its tables in the same file; they are not ours to migrate. Nor has the metadata what each
    database searches by."""
    if kind == "index" and name is not None and name.startswith("search_"):
        return False
    return kind != "table" or name in Base.metadata.tables


def run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        include_object=own_table,
        compare_type=True,
        user_module_prefix="types.",
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:  # `alembic revision --autogenerate` at a developer's desk
    url = context.config.get_main_option("sqlalchemy.url") or "sqlite://"
    with create_engine(url, poolclass=pool.NullPool).connect() as opened:
        run(opened)
