"""The ends of jobs' logs, which any machine can show."""

from __future__ import annotations

import logging
from pathlib import Path

from backend.storage.bucket import Bucket
from backend.storage.data_folder import DataFolder
from backend.storage.errors import StorageError

_log = logging.getLogger(__name__)
_SHOWN_BYTES = 20_000


class JobLogs:
    """Logs in the data folder, with their ends in the bucket where several machines use one."""

    def __init__(self, data: DataFolder, bucket: Bucket | None) -> None:
        """Use a folder.

        Args:
            data: Where jobs of this machine write.
            bucket: None where all machines mount the folder.
        """
        self._data = data
        self._bucket = bucket
        self._shared: dict[int, bytes] = {}

    def path(self, job: int) -> Path:
        """Return the file that a job of this machine writes."""
        return self._data.log(job)

    def end(self, job: int) -> str:
        """Return the end of a job's log, empty where there is none."""
        content = self._here(job)
        if not content and self._bucket is not None:
            try:
                content = self._bucket.read(_key(job)) or b""
            except StorageError as error:
                return f"the log cannot be read just now: {error}"
        return content.decode(errors="replace")

    def share(self, job: int) -> None:
        """Show other machines what was written since; what fails is tried with the next."""
        if self._bucket is None:
            return
        content = self._here(job)
        if content and content != self._shared.get(job):
            try:
                self._bucket.write(_key(job), content)
                self._shared = {job: content}
            except StorageError as error:
                _log.warning("job %d: its log is not shared: %s", job, error)

    def _here(self, job: int) -> bytes:
        path = self._data.log(job)
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _SHOWN_BYTES))
            return file.read()


def _key(job: int) -> str:
    return f"jobs/{job}.log"
