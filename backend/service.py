"""The parts of the backend joined, for the web application and for label-studio-ml alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from backend.click_store import ClickStore
from backend.image_access import image_sources, label_studio_access
from backend.images import ImageLoader
from backend.journal import Journal
from backend.label_studio_access import LabelStudioAccess
from backend.metrics import Metrics
from backend.model_slot import ModelSlot
from backend.predict import Predictor
from backend.settings import Settings
from backend.telemetry import Telemetry
from backend.turns import Turns
from mfp_model.errors import MfpError
from mfp_model.segmenters import Segmenter, load_segmenter
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version

_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What answers: the predictor, the weights' slot, and what is noted of the work."""

    predictor: Predictor
    slot: ModelSlot
    telemetry: Telemetry


def create_service(
    settings: Settings, *, slot: ModelSlot | None = None, shared_dir: Path | None = None
) -> Service:
    """Return the service, its weights loading in the background.

    Args:
        settings: See `backend.settings`.
        slot: The model; by default the weights that the settings name.
        shared_dir: Where the workers of a server share metrics and journal; None for one that
            is alone.

    Raises:
        CheckpointError: The weights' file is missing or damaged.
    """
    journal = Journal(shared_dir / "journal.sqlite3" if shared_dir else None)
    telemetry = Telemetry(Metrics(shared_dir), journal)
    access = label_studio_access(settings)
    slot = slot or _slot(settings, telemetry)
    slot.start()
    predictor = Predictor(
        _images(settings, access, telemetry),
        ClickStore(
            max_bytes=int(settings.click_cache_mb * _MEGABYTE),
            max_age_s=settings.cache_age_s,
            on_use=telemetry.cache("clicks"),
        ),
        slot,
        Turns(
            max_places=settings.max_waiting,
            on_change=telemetry.metrics.waiting.set,
            on_turn=telemetry.metrics.step_seconds.labels("wait").observe,
        ),
        telemetry,
        speck_share=settings.speck_share,
        polygon_error_px=settings.polygon_error_px,
    )
    threading.Thread(target=_check_label_studio, args=(access, telemetry), daemon=True).start()
    return Service(predictor=predictor, slot=slot, telemetry=telemetry)


def _slot(settings: Settings, telemetry: Telemetry) -> ModelSlot:
    def load() -> Segmenter:
        segmenter = load_segmenter("mfp", checkpoint=settings.checkpoint, device=settings.device)
        if settings.n_torch_threads:
            import torch

            torch.set_num_threads(settings.n_torch_threads)
        return segmenter

    def note(segmenter: Segmenter) -> None:
        telemetry.metrics.model.labels(segmenter.version, segmenter.device).set(1)

    version = weights_version(settings.checkpoint or DEFAULT_WEIGHTS)
    return ModelSlot(load, version=version, on_loaded=note)


def _images(settings: Settings, access: LabelStudioAccess, telemetry: Telemetry) -> ImageLoader:
    return ImageLoader(
        image_sources(settings, access).read,
        max_megapixels=settings.max_megapixels,
        cache_bytes=int(settings.image_cache_mb * _MEGABYTE),
        cache_age_s=settings.cache_age_s,
        on_use=telemetry.cache("images"),
    )


def _check_label_studio(access: LabelStudioAccess, telemetry: Telemetry) -> None:
    """Say at the start, and not at the first click, what is wrong with Label Studio's settings."""
    try:
        access.check()
    except MfpError as error:
        telemetry.failed(error, during="looking for Label Studio")
