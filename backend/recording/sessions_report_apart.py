"""The page of how people clicked, made in a process of its own.

It takes the file of a year half a minute of a core. In the process that answers clicks each of
them would wait for it, and its memory would stay.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from pathlib import Path

from backend.recording.recorded_objects import read_objects
from backend.storage.errors import StorageError
from backend.storage.shared_state import SharedState
from mfp_model.errors import MfpError

_LOWEST_PRIORITY = 19
_FAILED_CODE = 3


def report_page_apart(places: tuple[Path, str, str], *, label_studio_url: str) -> str | None:
    """Return the page's HTML, without photos; None where nothing was recorded yet.

    Args:
        places: Folder, database and bucket, as `SharedState` takes them.
        label_studio_url: For links to tasks; empty for none.

    Raises:
        StorageError: What was recorded cannot be read, or the process ended by itself.
    """
    asked = json.dumps([*map(str, places), label_studio_url])  # has passwords: on no command line
    command = [sys.executable, "-m", "backend.recording.sessions_report_apart"]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Ctrl-C is for the server, which ends this. Not a session of its own: Linux gives each
        # session the same share of the cores, whatever the priorities in it (autogroup).
        process_group=0,
    )
    atexit.register(process.kill)
    try:
        page, _ = process.communicate(asked.encode())
    finally:
        atexit.unregister(process.kill)
    if process.returncode == _FAILED_CODE:
        raise StorageError(page.decode())
    if process.returncode != 0:
        raise StorageError(
            f"the process that makes the page of sessions ended with {process.returncode}: "
            "the log may say why, or there was too little memory"
        )
    return page.decode() or None


def main() -> None:
    """Write the page that standard input asks for to standard output; none is written as nothing.

    What cannot be read is written in its place, with another exit code.
    """
    os.nice(_LOWEST_PRIORITY)
    folder, database_url, bucket_url, label_studio_url = json.load(sys.stdin)
    code, page = 0, ""
    try:
        objects = read_objects(SharedState(Path(folder), database_url, bucket_url).sessions())
        if objects:
            from backend.recording.sessions_report import report_page

            page = report_page(objects, label_studio_url=label_studio_url)
    except MfpError as error:
        code, page = _FAILED_CODE, str(error)
    sys.stdout.buffer.write(page.encode())
    sys.exit(code)


if __name__ == "__main__":
    main()
