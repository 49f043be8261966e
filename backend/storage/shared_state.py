"""Where all that processes share is kept: files of the data folder, or one database for all.

One machine needs no more than its folder. Several machines name a database, and mount one folder or
name a bucket.
"""

from __future__ import annotations

import socket
from pathlib import Path

from backend.storage.bucket import Bucket
from backend.storage.data_folder import DataFolder
from backend.storage.database import Database
from backend.storage.errors import StorageError
from backend.storage.file_database import FileDatabase
from backend.storage.kept import kept_file
from backend.storage.moved_file import check_folder
from backend.storage.moved_versions import check_versions
from backend.storage.server_database import ServerDatabase
from backend.storage.tables import JOBS, JOURNAL, REGIONS, SESSIONS, TABLES
from backend.storage.upgrading import NEWEST, check_state, state
from mfp_model.errors import ConfigError, DataError

_REGIONS_FAILURE = "what objects were begun on and edited is not known"
_JOURNAL_FAILURE = "the status page misses an entry"


class SharedState:
    """A data folder, the databases of what is in it, and a bucket.

    Attributes:
        places: What it was made of: folder, and the addresses of database and bucket.
        data: The folder.
        server: The database of several machines; None for files in the folder.
        bucket: Where several machines have versions and logs of jobs; None for the folder.
    """

    def __init__(self, folder: Path, database_url: str = "", bucket_url: str = "") -> None:
        """Prepare; files are opened when they are asked for.

        Args:
            folder: `MFP_DATA_DIR`.
            database_url: PostgreSQL's address; empty for files in the folder.
            bucket_url: The bucket's address; empty for the folder.

        Raises:
            ConfigError: The folder cannot be written. The database cannot be reached, or has
                other tables than this version's. Or what the folder holds is not where it is
                looked for.
        """
        self.places = folder, database_url, bucket_url
        self.data = data = DataFolder(folder)
        self.server = open_server(database_url) if database_url else None
        self.bucket = open_bucket(bucket_url, database_url)
        if self.server is not None:
            _check(self.server)
        check_folder(data, self.server)
        check_versions(data, self.bucket)

    def jobs(self) -> Database:
        """Return where the queue is.

        Raises:
            StorageError: It cannot be written.
        """
        return self.server or FileDatabase(self.data.jobs_file, JOBS)

    def regions(self) -> Database:
        """Return where begun and edited objects are, in memory where that cannot be written."""
        return self.server or kept_file(self.data.regions_file, REGIONS, failure=_REGIONS_FAILURE)

    def sessions(self) -> Database:
        """Return where clicks are recorded.

        Raises:
            StorageError: It cannot be written.
        """
        return self.server or FileDatabase(self.data.sessions_file, SESSIONS)

    def journal(self, shared_dir: Path | None) -> tuple[Database, str]:
        """Return where the newest clicks and errors are; see `journal_in`."""
        return journal_in(self.server, shared_dir)

    @property
    def has_sessions(self) -> bool:
        """Whether clicks may have been recorded."""
        return self.server is not None or self.data.sessions_file.is_file()

    def recorded(self) -> Database:
        """Return where clicks were recorded.

        Raises:
            DataError: There is no such file.
            StorageError: It cannot be read.
        """
        if not self.has_sessions:
            raise DataError(f"{self.data.sessions_file}: nothing was recorded yet")
        return self.sessions()


def open_server(url: str) -> ServerDatabase:
    """Return the database of several machines, whatever its state.

    Raises:
        ConfigError: The package that speaks with it is not installed.
    """
    try:
        return ServerDatabase(url)
    except ImportError as error:
        raise ConfigError(f"MFP_DATABASE_URL: {error}; pip install '.[postgres]'") from None


def open_bucket(url: str, database_url: str) -> Bucket | None:
    """Return the bucket of several machines, None without an address; it is not called.

    Raises:
        ConfigError: There is no database beside it, or the package that speaks with it is not
            installed.
    """
    if url and not database_url:
        raise ConfigError("MFP_BUCKET: expected MFP_DATABASE_URL beside it")
    return Bucket(url) if url else None


def _check(server: ServerDatabase) -> None:
    try:
        with server.using() as connection:
            there = state(connection, TABLES.sorted_tables, "MFP_DATABASE_URL")
    except StorageError as error:
        raise ConfigError(str(error)) from None
    check_state(there, "MFP_DATABASE_URL")
    if there != NEWEST:
        what = "has no tables yet" if there is None else f"has tables of state {there}"
        raise ConfigError(f"MFP_DATABASE_URL: the database {what}; run `mfp migrate` first")


def journal_in(server: Database | None, shared_dir: Path | None) -> tuple[Database, str]:
    """Return where the newest clicks and errors are, and this server's name there.

    Args:
        server: The database of several machines; None for a file.
        shared_dir: What the processes of this server share, None for one process.
    """
    if server is None:
        return journal_file(shared_dir), ""
    name = shared_dir.name if shared_dir else "one process"
    return server, f"{socket.gethostname()} {name}"


def journal_file(shared_dir: Path | None) -> Database:
    """Return the journal of one machine's server; None keeps it in memory, for one process."""
    path = shared_dir / "journal.sqlite3" if shared_dir else None
    return kept_file(path, JOURNAL, failure=_JOURNAL_FAILURE)
