"""Settings from the environment, checked at start. The only module that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from mfp_model.errors import ConfigError

CACHE_DIR = Path("~/.cache/label-studio-mfp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator can choose; each field's variable is given with it.

    Attributes:
        label_studio_url: `LABEL_STUDIO_URL`, where relative image addresses are fetched.
        label_studio_api_key: `LABEL_STUDIO_API_KEY`, a legacy or a personal access token.
        checkpoint: `MFP_CHECKPOINT`, weights; empty for the shipped ones.
        device: `MFP_DEVICE`, auto, cpu, cuda or cuda:N.
        n_torch_threads: `MFP_TORCH_THREADS`, CPU threads per worker; 0 for all cores.
        max_megapixels: `MFP_MAX_MEGAPIXELS`, larger images are refused by their header.
        max_image_mb: `MFP_MAX_IMAGE_MB`, larger downloads are refused.
        fetch_timeout_s: `MFP_FETCH_TIMEOUT_S`, limit to connect and between two packets.
        image_cache_mb: `MFP_IMAGE_CACHE_MB`, decoded images kept per worker.
        click_cache_mb: `MFP_CLICK_CACHE_MB`, rounds kept per worker.
        cache_age_s: `MFP_CACHE_AGE_S`, older entries of both caches are dropped.
        cache_dir: `MFP_CACHE_DIR`, where `mfp fetch-weights` puts what it downloads.
        speck_share: `MFP_SPECK_SHARE`, parts and holes smaller than this share of the
            largest part, and without a click, are removed from answers; 0 keeps all.
    """

    label_studio_url: str = ""
    label_studio_api_key: str = ""
    checkpoint: Path | None = None
    device: str = "auto"
    n_torch_threads: int = 0
    max_megapixels: float = 50.0
    max_image_mb: float = 200.0
    fetch_timeout_s: float = 20.0
    image_cache_mb: float = 512.0
    click_cache_mb: float = 256.0
    cache_age_s: float = 3600.0
    cache_dir: Path = CACHE_DIR
    speck_share: float = 0.005

    def __post_init__(self) -> None:
        if self.label_studio_url and urlsplit(self.label_studio_url).scheme not in (
            "http",
            "https",
        ):
            raise ConfigError(
                f"LABEL_STUDIO_URL={self.label_studio_url!r}: expected http://… or https://…"
            )
        if self.checkpoint is not None and not self.checkpoint.is_file():
            raise ConfigError(f"MFP_CHECKPOINT={str(self.checkpoint)!r}: no such file")

    def with_torch_threads(self, n_threads: int) -> Settings:
        """Return these settings with another number of CPU threads per worker."""
        return replace(self, n_torch_threads=n_threads)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings that an environment holds.

        Raises:
            ConfigError: A value that is not a number, or outside its range.
        """
        read = _Reader(environ)
        checkpoint = environ.get("MFP_CHECKPOINT", "")
        return cls(
            label_studio_url=environ.get("LABEL_STUDIO_URL", "").rstrip("/"),
            label_studio_api_key=environ.get("LABEL_STUDIO_API_KEY", ""),
            checkpoint=Path(checkpoint) if checkpoint else None,
            device=environ.get("MFP_DEVICE", "") or "auto",
            n_torch_threads=int(read.number("MFP_TORCH_THREADS", 0, low=0)),
            max_megapixels=read.number("MFP_MAX_MEGAPIXELS", 50, low=0.000001),
            max_image_mb=read.number("MFP_MAX_IMAGE_MB", 200, low=0.001),
            fetch_timeout_s=read.number("MFP_FETCH_TIMEOUT_S", 20, low=0.1),
            image_cache_mb=read.number("MFP_IMAGE_CACHE_MB", 512, low=0),
            click_cache_mb=read.number("MFP_CLICK_CACHE_MB", 256, low=0),
            cache_age_s=read.number("MFP_CACHE_AGE_S", 3600, low=1),
            cache_dir=Path(environ.get("MFP_CACHE_DIR") or CACHE_DIR).expanduser(),
            speck_share=read.number("MFP_SPECK_SHARE", 0.005, low=0, high=1),
        )


@dataclass(frozen=True, slots=True)
class _Reader:
    environ: Mapping[str, str]

    def number(self, name: str, default: float, *, low: float, high: float = float("inf")) -> float:
        text = self.environ.get(name, "")
        try:
            value = float(text) if text else float(default)
        except ValueError:
            raise ConfigError(f"{name}={text!r}: expected a number") from None
        if not low <= value <= high:
            raise ConfigError(f"{name}={text}: expected {low:g} <= value <= {high:g}")
        return value
