"""What Alembic runs: the steps, on the connection that `storage.upgrading` gives it."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table=context.config.attributes["mark"],
)
context.run_migrations()
