"""What several machines need: who runs a job, which versions serve, one journal, ordered finals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from backend.storage.history import wants

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables."""
    if wants("jobs"):
        if "projects" not in _there():  # in files of version 0.1.0
            op.create_table("projects", sa.Column("project", sa.Text, primary_key=True))
        op.add_column("jobs", sa.Column("worker", sa.Text))
        op.add_column("jobs", sa.Column("seen", sa.Double))
        for state in ("queued", "running"):
            where = sa.text(f"state = '{state}'")
            op.create_index(
                f"jobs_{state}",
                "jobs",
                ["project"],
                unique=True,
                sqlite_where=where,
                postgresql_where=where,
            )
    if wants("begun"):
        _remember_answers()
    if wants("finals"):
        _number_finals()
    if wants("moves"):
        op.create_table(
            "moves", sa.Column("move", sa.Text, primary_key=True), sa.Column("at", sa.Double)
        )
    if wants("serving"):
        op.create_table(
            "serving",
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("history", sa.Text),
            sa.Column("n_changes", sa.Integer),
        )
    if wants("journal_clicks"):
        _make_journal()


def _there() -> list[str]:
    return sa.inspect(op.get_bind()).get_table_names()


def _remember_answers() -> None:
    """What the tables before these told lives an hour only."""
    there = _there()
    for name in ("edited", "edited_masks", "answered"):
        if name in there:
            op.drop_table(name)
    if "answered_objects" in there:
        op.add_column("answered_objects", sa.Column("number", sa.BigInteger))
        op.execute("UPDATE answered_objects SET number = rowid")  # in files only
        return
    op.create_table(
        "answered_objects",
        *(
            sa.Column(name, sa.Text, primary_key=True)
            for name in ("task", "place", "annotation", "object")
        ),
        *(
            sa.Column(name, sa.Text)
            for name in ("regions", "labels", "placed", "alike_to", "stamp")
        ),
        *(sa.Column(name, sa.Integer) for name in ("is_new", "is_left")),
        *(sa.Column(name, sa.LargeBinary) for name in ("prior", "answer", "shown")),
        sa.Column("at", sa.Double),
        sa.Column("number", sa.BigInteger),
    )


def _number_finals() -> None:
    """Their order was SQLite's own number of the row, which other databases do not have."""
    op.drop_index("finals_save", "finals")
    op.rename_table("finals", "finals_before")
    op.create_table(
        "finals",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("save", sa.Integer),
        *(sa.Column(name, sa.Text) for name in ("region", "label", "mask")),
    )
    op.create_index("finals_save", "finals", ["save"])
    order = "ORDER BY rowid" if op.get_context().dialect.name == "sqlite" else ""
    op.execute(
        "INSERT INTO finals (save, region, label, mask) "
        f"SELECT save, region, label, mask FROM finals_before {order}"
    )
    op.drop_table("finals_before")


def _make_journal() -> None:
    op.create_table(
        "journal_starts",
        sa.Column("server", sa.Text, primary_key=True),
        sa.Column("at", sa.Double),
    )
    op.create_table(
        "journal_clicks",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Double) for name in ("at", "ms")),
    )
    op.create_table(
        "journal_errors",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double),
        *(sa.Column(name, sa.Text) for name in ("kind", "message", "request_id")),
    )
