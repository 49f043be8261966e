"""The tables of all that processes share, for SQLite and PostgreSQL alike.

In PostgreSQL all parts lie in one database. In SQLite each part is a file of its own: damage to
one leaves the others alone, and each is as careful with the disk as its content is worth.
What changes here needs a step in `history/versions`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

TABLES = MetaData()

jobs = Table(
    "jobs",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("project", Text),
    Column("state", Text),
    Column("step", Text),
    Column("share", Double),
    Column("message", Text),
    Column("version", Text),
    Column("created", Double),
    Column("started", Double),
    Column("finished", Double),
    Column("tries", Integer),
    Column("is_cancelled", Integer, server_default=text("0")),
    Column("worker", Text),  # who runs it
    Column("seen", Double),  # when that one was last heard of
    sqlite_autoincrement=True,
)
for _state in ("queued", "running"):  # of each project one of either at most
    Index(
        f"jobs_{_state}",
        jobs.c.project,
        unique=True,
        sqlite_where=text(f"state = '{_state}'"),
        postgresql_where=text(f"state = '{_state}'"),
    )
changed = Table(
    "changed",
    TABLES,
    Column("project", Text, primary_key=True),
    Column("annotation", Text, primary_key=True),
)
projects = Table("projects", TABLES, Column("project", Text, primary_key=True))

begun = Table(
    "begun",
    TABLES,
    Column("point", Text, primary_key=True),
    Column("version", Text),
    Column("at", Double),
)
answered_objects = Table(
    "answered_objects",
    TABLES,
    Column("task", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("annotation", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    *(Column(name, Text) for name in ("regions", "labels", "placed", "alike_to", "stamp")),
    *(Column(name, Integer) for name in ("is_new", "is_left")),
    *(Column(name, LargeBinary) for name in ("prior", "answer", "shown")),
    Column("at", Double),
    Column("number", BigInteger),  # larger for what was answered later
)

masks = Table("masks", TABLES, Column("key", Text, primary_key=True), Column("packed", LargeBinary))
answers = Table(
    "answers",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Double),
    Column("project", Text),
    Column("task", Text),
    Column("image", Text),
    Column("width", Integer),
    Column("height", Integer),
    Column("label", Text),
    Column("version", Text),
    Column("points", Text),
    Column("clicks", Text),
    Column("regions", Text),
    Column("prior", Text),
    Column("answer", Text),
    Index("answers_task", "project", "task"),
)
saves = Table(
    "saves",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Double),
    Column("project", Text),
    Column("task", Text),
    Column("annotation", Text),
    Column("action", Text),
)
finals = Table(
    "finals",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("save", Integer),
    Column("region", Text),
    Column("label", Text),
    Column("mask", Text),
    Index("finals_save", "save"),
)

serving = Table(
    "serving",
    TABLES,
    Column("name", Text, primary_key=True),  # of a project, or `global`
    Column("history", Text),  # JSON, the newest version last
    Column("n_changes", Integer),
)

moves = Table(  # of data folders into this database
    "moves", TABLES, Column("move", Text, primary_key=True), Column("at", Double)
)

journal_starts = Table(
    "journal_starts", TABLES, Column("server", Text, primary_key=True), Column("at", Double)
)
journal_clicks = Table(
    "journal_clicks",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Double),
    Column("ms", Double),
)
journal_errors = Table(
    "journal_errors",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("at", Double),
    Column("kind", Text),
    Column("message", Text),
    Column("request_id", Text),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a file holds.

    Attributes:
        tables: Its tables.
        synchronous: SQLite's `OFF` for what may be lost with the machine's power, else `NORMAL`
            or `FULL`.
    """

    tables: tuple[Table, ...]
    synchronous: str = "OFF"


JOBS = Part(tables=(jobs, changed, projects), synchronous="FULL")
REGIONS = Part(tables=(begun, answered_objects))
SESSIONS = Part(tables=(masks, answers, saves, finals), synchronous="NORMAL")
JOURNAL = Part(tables=(journal_starts, journal_clicks, journal_errors))
