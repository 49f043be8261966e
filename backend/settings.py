"""Settings from the environment, checked at start. The only module that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from backend.environment import EnvironmentReader, Network
from mfp_model.errors import ConfigError
from mfp_model.names import ENGINES, INPAINTERS, SEGMENTERS

CACHE_DIR = Path("~/.cache/label-studio-mfp")
DATA_DIR = Path("~/.local/share/label-studio-mfp")
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
LOG_FORMATS = ("text", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can choose; each field's variable is given with it.

    Attributes:
        label_studio_url: `LABEL_STUDIO_URL`, where relative image addresses are fetched.
        label_studio_api_key: `LABEL_STUDIO_API_KEY`, a legacy or a personal access token.
        username: `MFP_USERNAME`, of the Basic auth that every route but `/health` asks for.
        password: `MFP_PASSWORD`, empty for no access control.
        allows_open: `MFP_ALLOW_OPEN`, listen to other machines without access control.
        max_request_mb: `MFP_MAX_REQUEST_MB`, larger request bodies are refused.
        max_waiting: `MFP_MAX_WAITING`, requests in work or in line per worker; more get "busy".
        log_format: `MFP_LOG_FORMAT`, text or json.
        checkpoint: `MFP_CHECKPOINT`, weights; empty for the shipped ones.
        segmenter: `MFP_SEGMENTER`, what answers clicks where the label configuration does not say;
            by project id, `""` for all others.
        constants: `MFP_CONSTANTS`, of graph cuts on colours, a file of `mfp tune-graph-cut`.
        inpainter: `MFP_INPAINTER`, fills what finders take out; lama and mat need their weights
            in the cache folder.
        device: `MFP_DEVICE`, auto, cpu, cuda or cuda:N.
        engine: `MFP_ENGINE`, what computes networks: auto, pytorch, or openvino on CPUs.
        n_torch_threads: `MFP_TORCH_THREADS`, CPU threads per worker; 0 for all cores.
        max_megapixels: `MFP_MAX_MEGAPIXELS`, larger images are refused by their header.
        max_image_mb: `MFP_MAX_IMAGE_MB`, larger downloads are refused.
        fetch_timeout_s: `MFP_FETCH_TIMEOUT_S`, limit to connect and between two packets.
        fetch_total_s: `MFP_FETCH_TOTAL_S`, limit for a whole file, redirects included.
        image_hosts: `MFP_IMAGE_HOSTS`, hosts outside Label Studio that images may come from, `*`
            stands for any letters; empty for the three clouds' storage.
        private_networks: `MFP_PRIVATE_NETWORKS`, private address ranges that those may lie in.
        ca_bundle: `MFP_CA_BUNDLE`, file with the certificate authorities to trust.
        label_studio_data_dir: `MFP_LABEL_STUDIO_DATA_DIR`, its data folder where it is mounted, so
            that uploads are read from there.
        local_files_dir: `MFP_LOCAL_FILES_DIR`, its local files' document root, likewise.
        image_cache_mb: `MFP_IMAGE_CACHE_MB`, decoded images kept per worker.
        click_cache_mb: `MFP_CLICK_CACHE_MB`, rounds kept per worker.
        cache_age_s: `MFP_CACHE_AGE_S`, older entries of both caches are dropped.
        cache_dir: `MFP_CACHE_DIR`, where `mfp fetch-weights` puts what it downloads.
        data_dir: `MFP_DATA_DIR`, where fine-tuned versions, jobs and what they need are kept.
        models_mb: `MFP_MODELS_MB`, memory that a worker's versions and segmenters may hold.
        train_every: `MFP_TRAIN_EVERY`, annotations changed in a project after which it is
            fine-tuned; by project id, `""` for all others; 0 for only when asked.
        train_samples: `MFP_TRAIN_SAMPLES`, that a fine-tuning learns from; 0 for the recipe's.
        train_replay: `MFP_TRAIN_REPLAY`, COCO folders to learn from beside the corrections,
            with colons between.
        sessions_mb: `MFP_SESSIONS_MB`, size of the file in which click sequences are recorded,
            without image content or names; 0 records nothing.
        speck_share: `MFP_SPECK_SHARE`, parts and holes smaller than this share of the
            largest part, and without a click, are removed from answers; 0 keeps all.
        polygon_error_px: `MFP_POLYGON_ERROR_PX`, how far a polygon may be from the mask's edge.
    """

    label_studio_url: str = ""
    label_studio_api_key: str = ""
    username: str = ""
    password: str = ""
    allows_open: bool = False
    max_request_mb: float = 64.0
    max_waiting: int = 32
    log_format: str = "text"
    checkpoint: Path | None = None
    segmenter: Mapping[str, str] = field(default_factory=dict)
    constants: Path | None = None
    inpainter: str = "telea"
    device: str = "auto"
    engine: str = "auto"
    n_torch_threads: int = 0
    max_megapixels: float = 50.0
    max_image_mb: float = 200.0
    fetch_timeout_s: float = 20.0
    fetch_total_s: float = 60.0
    image_hosts: tuple[str, ...] = CLOUD_HOSTS
    private_networks: tuple[Network, ...] = ()
    ca_bundle: Path | None = None
    label_studio_data_dir: Path | None = None
    local_files_dir: Path | None = None
    image_cache_mb: float = 512.0
    click_cache_mb: float = 256.0
    cache_age_s: float = 3600.0
    cache_dir: Path = CACHE_DIR
    data_dir: Path = DATA_DIR
    models_mb: float = 2000.0
    train_every: Mapping[str, int] = field(default_factory=dict)
    train_samples: int = 0
    train_replay: tuple[Path, ...] = ()
    sessions_mb: float = 100.0
    speck_share: float = 0.005
    polygon_error_px: float = 1.0

    def __post_init__(self) -> None:
        if self.label_studio_url and urlsplit(self.label_studio_url).scheme not in (
            "http",
            "https",
        ):
            raise ConfigError(
                f"LABEL_STUDIO_URL={self.label_studio_url!r}: expected http://… or https://…"
            )
        if bool(self.username) != bool(self.password):
            raise ConfigError("MFP_USERNAME and MFP_PASSWORD: expected both or none of them")
        if ":" in self.username:
            raise ConfigError(f"MFP_USERNAME={self.username!r}: a colon cannot be sent")
        if self.log_format not in LOG_FORMATS:
            raise ConfigError(
                f"MFP_LOG_FORMAT={self.log_format!r}: expected one of {', '.join(LOG_FORMATS)}"
            )
        if self.engine not in ENGINES:
            known = ", ".join(ENGINES)
            raise ConfigError(f"MFP_ENGINE={self.engine!r}: expected one of {known}")
        for segmenter in self.segmenter.values():
            if segmenter not in SEGMENTERS:
                known = ", ".join(SEGMENTERS)
                raise ConfigError(f"MFP_SEGMENTER={segmenter!r}: expected one of {known}")
        if self.inpainter not in INPAINTERS:
            known = ", ".join(INPAINTERS)
            raise ConfigError(f"MFP_INPAINTER={self.inpainter!r}: expected one of {known}")
        for name, file in (
            ("MFP_CHECKPOINT", self.checkpoint),
            ("MFP_CONSTANTS", self.constants),
            ("MFP_CA_BUNDLE", self.ca_bundle),
        ):
            if file is not None and not file.is_file():
                raise ConfigError(f"{name}={str(file)!r}: no such file")
        for name, folder in (
            ("MFP_LABEL_STUDIO_DATA_DIR", self.label_studio_data_dir),
            ("MFP_LOCAL_FILES_DIR", self.local_files_dir),
            *(("MFP_TRAIN_REPLAY", folder) for folder in self.train_replay),
        ):
            if folder is not None and not folder.is_dir():
                raise ConfigError(f"{name}={str(folder)!r}: no such folder")

    @property
    def asks_for_password(self) -> bool:
        """Whether requests need Basic auth."""
        return bool(self.password)

    def with_torch_threads(self, n_threads: int) -> Settings:
        """Return these settings with another number of CPU threads per worker."""
        return replace(self, n_torch_threads=n_threads)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings that an environment holds.

        Raises:
            ConfigError: A value that cannot be read, is outside its range, or names no file.
        """
        read, plain = EnvironmentReader(environ), cls()
        return cls(
            label_studio_url=read.text("LABEL_STUDIO_URL").rstrip("/"),
            label_studio_api_key=read.text("LABEL_STUDIO_API_KEY"),
            username=read.text("MFP_USERNAME"),
            password=read.text("MFP_PASSWORD"),
            allows_open=read.switch("MFP_ALLOW_OPEN"),
            max_request_mb=read.number("MFP_MAX_REQUEST_MB", plain.max_request_mb, low=0.001),
            max_waiting=int(read.number("MFP_MAX_WAITING", plain.max_waiting, low=1)),
            log_format=read.text("MFP_LOG_FORMAT") or plain.log_format,
            checkpoint=read.path("MFP_CHECKPOINT"),
            segmenter=read.by_project("MFP_SEGMENTER"),
            constants=read.path("MFP_CONSTANTS"),
            inpainter=read.text("MFP_INPAINTER") or plain.inpainter,
            device=read.text("MFP_DEVICE") or plain.device,
            engine=read.text("MFP_ENGINE") or plain.engine,
            n_torch_threads=int(read.number("MFP_TORCH_THREADS", plain.n_torch_threads, low=0)),
            max_megapixels=read.number("MFP_MAX_MEGAPIXELS", plain.max_megapixels, low=0.000001),
            max_image_mb=read.number("MFP_MAX_IMAGE_MB", plain.max_image_mb, low=0.001),
            fetch_timeout_s=read.number("MFP_FETCH_TIMEOUT_S", plain.fetch_timeout_s, low=0.1),
            fetch_total_s=read.number("MFP_FETCH_TOTAL_S", plain.fetch_total_s, low=0.1),
            image_hosts=read.items("MFP_IMAGE_HOSTS") or plain.image_hosts,
            private_networks=read.networks("MFP_PRIVATE_NETWORKS"),
            ca_bundle=read.path("MFP_CA_BUNDLE"),
            label_studio_data_dir=read.path("MFP_LABEL_STUDIO_DATA_DIR"),
            local_files_dir=read.path("MFP_LOCAL_FILES_DIR"),
            image_cache_mb=read.number("MFP_IMAGE_CACHE_MB", plain.image_cache_mb, low=0),
            click_cache_mb=read.number("MFP_CLICK_CACHE_MB", plain.click_cache_mb, low=0),
            cache_age_s=read.number("MFP_CACHE_AGE_S", plain.cache_age_s, low=1),
            cache_dir=(read.path("MFP_CACHE_DIR") or plain.cache_dir).expanduser(),
            data_dir=(read.path("MFP_DATA_DIR") or plain.data_dir).expanduser(),
            models_mb=read.number("MFP_MODELS_MB", plain.models_mb, low=1),
            train_every=read.counts("MFP_TRAIN_EVERY"),
            train_samples=int(read.number("MFP_TRAIN_SAMPLES", plain.train_samples, low=0)),
            train_replay=read.paths("MFP_TRAIN_REPLAY"),
            sessions_mb=read.number("MFP_SESSIONS_MB", plain.sessions_mb, low=0),
            speck_share=read.number("MFP_SPECK_SHARE", plain.speck_share, low=0, high=1),
            polygon_error_px=read.number("MFP_POLYGON_ERROR_PX", plain.polygon_error_px, low=0),
        )
