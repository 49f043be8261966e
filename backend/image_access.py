"""Access to Label Studio and to images, as the settings say; for the server and for commands."""

from __future__ import annotations

from backend.images.sources import ImageSources
from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import LabelStudioApi
from backend.settings import Settings
from mfp_model.errors import ConfigError

_MEGABYTE = 1_000_000


def label_studio_access(settings: Settings) -> LabelStudioAccess:
    """Return the way to the Label Studio of the settings."""
    return LabelStudioAccess(
        url=settings.label_studio_url,
        api_key=settings.label_studio_api_key,
        ca_bundle=settings.ca_bundle,
    )


def label_studio_api(settings: Settings) -> LabelStudioApi:
    """Return the API of the Label Studio of the settings.

    Raises:
        ConfigError: The settings name none, or no token.
    """
    if not settings.label_studio_url or not settings.label_studio_api_key:
        raise ConfigError("LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY: expected both")
    return LabelStudioApi(label_studio_access(settings))


def image_sources(settings: Settings, access: LabelStudioAccess) -> ImageSources:
    """Return what reads images, within the limits of the settings."""
    max_bytes = int(settings.max_image_mb * _MEGABYTE)
    limits = FetchLimits(
        max_bytes=max_bytes,
        total_s=settings.fetch_total_s,
        hosts=settings.image_hosts,
        private_networks=settings.private_networks,
        ca_bundle=settings.ca_bundle,
    )
    return ImageSources(
        WebFetcher(access, limits),
        label_studio_url=settings.label_studio_url,
        max_bytes=max_bytes,
        label_studio_data_dir=settings.label_studio_data_dir,
        local_files_dir=settings.local_files_dir,
    )
