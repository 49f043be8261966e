"""A PostgreSQL server to try things with: in a folder of its own, and gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_USER = "postgres"  # Debian's package makes it; the server refuses to run as root
_OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=60"


def programs() -> Path | None:
    """Return the folder of `initdb` and `pg_ctl`, None where there is none."""
    named = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return Path(named).parent if named else next(iter(folders), None)


def missing() -> str | None:
    """Return why no server can be started here, None where one can."""
    if programs() is None:
        return "PostgreSQL is not installed (apt-get install postgresql)"
    if os.getuid() == 0 and _account() is None:
        return f"PostgreSQL does not run as root, and there is no user {_USER}"
    return None


class Postgres:
    """A running server.

    Attributes:
        folder: Where its files are.
        port: Where it listens, on 127.0.0.1.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._n_databases = 0

    def new_database(self, encoding: str = "UTF8") -> str:
        """Return the address of an empty database."""
        import psycopg

        self._n_databases += 1
        name = f"mfp_{os.getpid()}_{self._n_databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            made_as = f"TEMPLATE template0 LOCALE 'C' ENCODING '{encoding}'"
            connection.execute(f"CREATE DATABASE {name} {made_as}")  # type: ignore[arg-type]
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://mfp@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        options = f"{_OPTIONS} -p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder}"
        self._control("start", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        run_as_user("pg_ctl", "-D", str(self.folder / "data"), "-w", *arguments)


def run_as_user(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's programs, not as root."""
    folder, account = programs(), _account()
    assert folder is not None, "asked before"
    is_root = os.getuid() == 0
    subprocess.run(
        [str(folder / program), *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
        user=account.pw_uid if is_root and account else None,
        group=account.pw_gid if is_root and account else None,
        extra_groups=[] if is_root else None,
    )


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="label-studio-mfp-postgres-", dir="/tmp"))
    account = _account()
    if os.getuid() == 0 and account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        run_as_user("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "mfp", "--no-sync")
        server = Postgres(folder, _free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_USER)
    except KeyError:
        return None


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
