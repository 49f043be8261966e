"""What an operator can choose. The only module that reads the environment.

The fields of `Settings` are the one table, from which the errors and the reference page come, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from backend.environment import readers as read
from backend.environment.by_project import by_project
from backend.environment.gone import GONE
from backend.environment.table import read_values, setting
from mfp_model.errors import ConfigError
from mfp_model.names import ENGINES, SEGMENTERS

# Where Label Studio's redirects for cloud storage lead: Amazon, Google, Azure.
CLOUD_HOSTS = (
    "s3.amazonaws.com",
    "s3.*.amazonaws.com",
    "*.s3.amazonaws.com",
    "*.s3.*.amazonaws.com",
    "storage.googleapis.com",
    "*.storage.googleapis.com",
    "*.blob.core.windows.net",
)
MEGABYTE = 1_000_000
# Of the memory that a worker may keep; models have the rest.
_IMAGES_SHARE, _CLICKS_SHARE = 1 / 6, 1 / 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table of settings, each with its variable, default, kind and sentence."""

    label_studio_url: str = setting(
        "LABEL_STUDIO_URL", "", read.site(), "Where Label Studio is; images are fetched there."
    )
    label_studio_public_url: str = setting(
        "LABEL_STUDIO_PUBLIC_URL",
        "",
        read.site(),
        "Its address in browsers, where it is another one: for links, and images named by it.",
    )
    label_studio_api_key: str = setting(
        "LABEL_STUDIO_API_KEY",
        "",
        read.token(),
        "A personal access token or legacy token of Label Studio.",
    )
    username: str = setting(
        "MFP_USERNAME",
        "",
        read.text(),
        "User name of the Basic auth that every route but `/health` and `/ready` asks for.",
    )
    password: str = setting(
        "MFP_PASSWORD", "", read.text(is_secret=True), "Its password; empty for no access control."
    )
    allows_open: bool = setting(
        "MFP_ALLOW_OPEN", False, read.switch(), "Listen to other machines without access control."
    )
    allowed_hosts: tuple[str, ...] = setting(
        "MFP_ALLOWED_HOSTS", (), read.hosts(), "This server's names; with a password any."
    )
    max_request_mb: float = setting(
        "MFP_MAX_REQUEST_MB", 64.0, read.number(low=0.001), "Larger request bodies are refused."
    )
    max_waiting: int = setting(
        "MFP_MAX_WAITING",
        32,
        read.count(low=1, high=10_000),
        "Requests in work or in line at each worker; a further one is answered “busy”.",
    )
    log_format: str = setting(
        "MFP_LOG_FORMAT", "text", read.choice(("text", "json")), "How lines of the log are written."
    )
    checkpoint: Path | None = setting(
        "MFP_CHECKPOINT",
        None,
        read.file(),
        "The checkpoint that serves.",
        default_in_words="the shipped weights",
    )
    segmenter: Mapping[str, str] = setting(
        "MFP_SEGMENTER",
        {},
        by_project(read.choice(SEGMENTERS), "VALUE"),
        "What answers clicks where the label configuration does not say.",
        default_in_words="mfp",
    )
    device: str = setting("MFP_DEVICE", "auto", read.device(), "Where networks are computed.")
    engine: str = setting(
        "MFP_ENGINE",
        "auto",
        read.choice(ENGINES),
        "What computes networks; openvino is for CPUs, auto goes by the machine.",
    )
    n_torch_threads: int = setting(
        "MFP_TORCH_THREADS",
        0,
        read.count(low=0, high=1024),
        "CPU threads of each worker; 0 divides the cores among the workers.",
    )
    memory_mb: float = setting(
        "MFP_MEMORY_MB",
        3000.0,
        read.number(low=1),
        "What each worker may keep: a sixth for images, a twelfth for clicks, the rest for models. "
        "What was not used for the longest time goes.",
    )
    max_megapixels: float = setting(
        "MFP_MAX_MEGAPIXELS", 50.0, read.number(low=0.001, high=178), "Larger images are refused."
    )
    max_image_mb: float = setting(
        "MFP_MAX_IMAGE_MB", 200.0, read.number(low=0.001), "Larger image files are refused."
    )
    fetch_total_s: float = setting(
        "MFP_FETCH_TOTAL_S", 60.0, read.number(low=0.1), "How long fetching an image may take."
    )
    image_hosts: tuple[str, ...] = setting(
        "MFP_IMAGE_HOSTS",
        CLOUD_HOSTS,
        read.hosts(),
        "Hosts outside Label Studio that images may come from; `*` stands for any letters.",
        default_in_words="the storage hosts of Amazon, Google and Azure",
    )
    private_networks: tuple[read.Network, ...] = setting(
        "MFP_PRIVATE_NETWORKS", (), read.networks(), "Private addresses that those hosts may have."
    )
    ca_bundle: Path | None = setting(
        "SSL_CERT_FILE",
        None,
        read.file(),
        "The certificate authorities that are trusted.",
        default_in_words="the system's",
    )
    label_studio_data_dir: Path | None = setting(
        "MFP_LABEL_STUDIO_DATA_DIR",
        None,
        read.folder(),
        "Label Studio's data folder where it is mounted: uploads are read there.",
    )
    local_files_dir: Path | None = setting(
        "MFP_LOCAL_FILES_DIR", None, read.folder(), "Its local files' folder where that is mounted."
    )
    data_dir: Path = setting(
        "MFP_DATA_DIR",
        Path("~/.local/share/label-studio-mfp"),
        read.folder(may_be_new=True),
        "Fine-tuned versions, jobs, masks being edited, recorded clicks, downloaded weights.",
    )
    database_url: str = setting(
        "MFP_DATABASE_URL", "", read.postgresql(), "What several machines share; by default files."
    )
    bucket_url: str = setting(
        "MFP_BUCKET",
        "",
        read.bucket(),
        "Where they share fine-tuned versions and logs of jobs; by default a folder they mount.",
    )
    train_every: Mapping[str, int] = setting(
        "MFP_TRAIN_EVERY",
        {},
        by_project(read.count(low=0, high=10**9), "N"),
        "Changed annotations after which a project is fine-tuned; 0 for never by itself.",
        default_in_words="0",
    )
    train_samples: int = setting(
        "MFP_TRAIN_SAMPLES",
        0,
        read.count(low=0, high=10**9),
        "Samples that a fine-tuning learns from; half of them take half the time.",
        default_in_words="the recipe's 6000",
    )
    train_replay: tuple[Path, ...] = setting(
        "MFP_TRAIN_REPLAY", (), read.folders(), "COCO folders to learn from beside the corrections."
    )
    sessions_mb: float = setting(
        "MFP_SESSIONS_MB",
        100.0,
        read.number(low=0),
        "Size of the file that clicks are recorded in, without images or names; 0 records nothing.",
    )
    polygon_error_px: float = setting(
        "MFP_POLYGON_ERROR_PX", 1.0, read.number(low=0), "How far polygons may be off the mask."
    )

    def __post_init__(self) -> None:
        if bool(self.username) != bool(self.password):
            raise ConfigError("MFP_USERNAME and MFP_PASSWORD: expected both or none of them")
        if ":" in self.username:
            raise ConfigError(f"MFP_USERNAME={self.username!r}: a colon cannot be sent")
        object.__setattr__(self, "data_dir", read.at_home("MFP_DATA_DIR", self.data_dir))

    @property
    def asks_for_password(self) -> bool:
        """Whether requests need Basic auth."""
        return bool(self.password)

    @property
    def label_studio_page(self) -> str:
        """Where people reach Label Studio, empty where it is not known."""
        return self.label_studio_public_url or self.label_studio_url

    @property
    def cache_dir(self) -> Path:
        """Where downloaded weights lie."""
        return self.data_dir / "cache"

    @property
    def places(self) -> tuple[Path, str, str]:
        """Folder, database and bucket of what processes share; see `SharedState`."""
        return self.data_dir, self.database_url, self.bucket_url

    @property
    def images_bytes(self) -> int:
        """What a worker's decoded images may hold in memory."""
        return int(self.memory_mb * MEGABYTE * _IMAGES_SHARE)

    @property
    def clicks_bytes(self) -> int:
        """What a worker's computed rounds may hold in memory."""
        return int(self.memory_mb * MEGABYTE * _CLICKS_SHARE)

    @property
    def models_bytes(self) -> int:
        """What a worker's versions and segmenters may hold in memory."""
        return int(self.memory_mb * MEGABYTE) - self.images_bytes - self.clicks_bytes

    def graph_cut_constants(self, features: str) -> Path | None:
        """Return the file of `mfp tune-graph-cut` for features that was placed, if there is one."""
        path = self.data_dir / "graph-cut" / f"{features}.json"
        return path if path.is_file() else None

    def with_torch_threads(self, n_threads: int) -> Settings:
        """Return these settings with another number of CPU threads per worker."""
        return replace(self, n_torch_threads=n_threads)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings that an environment holds, with those of its file.

        Raises:
            ConfigError: A value that cannot be read, is outside its range, or names no file.
        """
        return cls(**read_values(cls, environ, gone=GONE))
