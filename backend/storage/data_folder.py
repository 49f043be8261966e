"""The folder of `MFP_DATA_DIR`: what must outlive the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mfp_model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where things lie in it; making one makes the folder, for this user only."""

    root: Path

    def __post_init__(self) -> None:
        try:
            if not self.root.exists():
                self.root.mkdir(parents=True, mode=0o700)
            for folder in (self.models, self.jobs):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
            (self.root / ".probe").write_bytes(b"")
            (self.root / ".probe").unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"MFP_DATA_DIR={str(self.root)!r}: cannot be written ({error.strerror}); "
                "name a folder where fine-tuned versions can be kept"
            ) from None

    @property
    def models(self) -> Path:
        """The fine-tuned versions."""
        return self.root / "models"

    @property
    def copies(self) -> Path:
        """What this machine uses of the versions in a bucket."""
        return self.root / "cache" / "models"

    @property
    def jobs(self) -> Path:
        """A folder and a log for each job."""
        return self.root / "jobs"

    @property
    def jobs_file(self) -> Path:
        """The queue."""
        return self.root / "jobs.sqlite3"

    @property
    def regions_file(self) -> Path:
        """The versions that objects were begun on, and the masks that are being edited."""
        return self.root / "regions.sqlite3"

    @property
    def sessions_file(self) -> Path:
        """How people clicked."""
        return self.root / "sessions.sqlite3"

    @property
    def serving_file(self) -> Path:
        """Which versions serve."""
        return self.models / "serving.json"

    def state_files(self) -> list[Path]:
        """Return those of the files above that are there: what machines share in a database."""
        files = (self.jobs_file, self.regions_file, self.sessions_file, self.serving_file)
        return [path for path in files if path.is_file()]

    @property
    def moved_file(self) -> Path:
        """Tells that the queue, regions, sessions and what serves were moved into a database."""
        return self.root / "moved-to-database.json"

    @property
    def moved_versions_file(self) -> Path:
        """Tells that the versions were moved into a bucket."""
        return self.root / "moved-to-bucket.json"

    def job(self, number: int) -> Path:
        """Return the folder of a job."""
        return self.jobs / str(number)

    def job_lock(self, number: int) -> Path:
        """Return the file that the process of a job locks."""
        return self.jobs / f"{number}.lock"

    def log(self, number: int) -> Path:
        """Return the log of a job."""
        return self.jobs / f"{number}.log"
