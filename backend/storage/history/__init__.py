"""How the tables became what they are: Alembic's folder, and what its steps share."""

from __future__ import annotations

from alembic import context


def wants(table: str) -> bool:
    """Return whether the database that is upgraded holds a table; a file holds one part only."""
    return table in context.config.attributes["tables"]
