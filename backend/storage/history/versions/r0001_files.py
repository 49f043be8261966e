"""The tables of version 0.2.0's files, which are there already where such a file is opened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from backend.storage.history import wants

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    _jobs()
    _regions()
    _sessions()


def _jobs() -> None:
    if not wants("jobs"):
        return
    op.create_table(
        "jobs",
        sa.Column("id", sa.Integer, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("project", "state", "step")),
        sa.Column("share", sa.Double),
        *(sa.Column(name, sa.Text) for name in ("message", "version")),
        *(sa.Column(name, sa.Double) for name in ("created", "started", "finished")),
        sa.Column("tries", sa.Integer),
        sa.Column("is_cancelled", sa.Integer, server_default=sa.text("0")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "changed",
        sa.Column("project", sa.Text, primary_key=True),
        sa.Column("annotation", sa.Text, primary_key=True),
    )
    op.create_table("projects", sa.Column("project", sa.Text, primary_key=True))


def _regions() -> None:
    if not wants("begun"):
        return
    op.create_table(
        "begun",
        sa.Column("point", sa.Text, primary_key=True),
        sa.Column("version", sa.Text),
        sa.Column("at", sa.Double),
    )
    op.create_table(
        "edited_masks",
        sa.Column("task", sa.Text, primary_key=True),
        sa.Column("annotation", sa.Text, primary_key=True),
        sa.Column("region", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text) for name in ("points", "stamp")),
        *(sa.Column(name, sa.LargeBinary) for name in ("prior", "answer")),
        sa.Column("at", sa.Double),
    )


def _sessions() -> None:
    if not wants("answers"):
        return
    op.create_table(
        "masks", sa.Column("key", sa.Text, primary_key=True), sa.Column("packed", sa.LargeBinary)
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double),
        *(sa.Column(name, sa.Text) for name in ("project", "task", "image")),
        *(sa.Column(name, sa.Integer) for name in ("width", "height")),
        *(
            sa.Column(name, sa.Text)
            for name in (
                "label",
                "version",
                "points",
                "clicks",
                "regions",
                "prior",
                "answer",
            )
        ),
    )
    op.create_index("answers_task", "answers", ["project", "task"])
    op.create_table(
        "saves",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double),
        *(sa.Column(name, sa.Text) for name in ("project", "task", "annotation", "action")),
    )
    op.create_table(
        "finals",
        sa.Column("save", sa.Integer),
        *(sa.Column(name, sa.Text) for name in ("region", "label", "mask")),
    )
    op.create_index("finals_save", "finals", ["save"])
