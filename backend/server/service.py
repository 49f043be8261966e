"""The parts of the backend joined, for the web application and for label-studio-ml alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backend.answering.answered import AnsweredObjects
from backend.answering.click_store import ClickStore
from backend.answering.edits import Edits
from backend.answering.existing import ExistingMasks
from backend.answering.newest_clicks import NewestClicks
from backend.answering.predictor import Predictor
from backend.answering.turns import Turns
from backend.cluster.choosing import remote_choice
from backend.cluster.front import ClusterFront
from backend.cluster.messages import Which
from backend.cluster.remote import RemoteSegmenter, for_click
from backend.finding.answer import TaskFinder
from backend.finding.loaded_finders import Finders
from backend.images.decoder import Decoder
from backend.images.loader import ImageLoader
from backend.images.sources import image_sources
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import label_studio_access
from backend.label_studio.drafts import SavedDrafts
from backend.label_studio.projects import ProjectSettings
from backend.learning.inbox import Inbox
from backend.learning.job_logs import JobLogs
from backend.learning.jobs import JobQueue
from backend.learning.queue_figures import JobFigures
from backend.learning.trainer import Trainer
from backend.models.begun import BegunVersions
from backend.models.loaded import LoadedSegmenters
from backend.models.loading import choice_of, load_mfp
from backend.models.registry import ModelRegistry, model_registry
from backend.models.segmenter_choice import SegmenterChoice
from backend.models.served import ServedModels
from backend.monitoring.journal import Journal
from backend.monitoring.metrics import Metrics
from backend.monitoring.telemetry import Telemetry
from backend.recording.recorder import Recorder
from backend.recording.store import SessionStore
from backend.server.label_studio_check import check_label_studio
from backend.server.process_figures import FineTuningFigures
from backend.server.setup import ProjectSetup
from backend.settings import MEGABYTE, Settings
from backend.storage.shared_state import SharedState
from mfp_model.segmenter import Segmenter
from mfp_model.weights import DEFAULT_WEIGHTS
from mfp_model.weights.versions import model_version

_KEPT_S = 3600.0  # images and clicks
_EXISTING_BYTES = 64_000_000
_CHANGES = "projects-changed"  # the file that workers tell each other by
_N_TURNS = 2  # one prepares or finishes a round while the network computes another's


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """What answers: clicks, `/setup`, the way to better weights, and what is noted of all.

    `shared_dir` is what the processes of a server share, None for one process alone.
    `label_studio_url` is where people reach Label Studio, empty where it is not known.
    """

    predictor: Predictor
    models: ServedModels
    telemetry: Telemetry
    registry: ModelRegistry
    trainer: Trainer
    setup: ProjectSetup
    projects: ProjectSettings
    inbox: Inbox
    recorder: Recorder
    state: SharedState
    shared_dir: Path | None
    label_studio_url: str


def create_service(
    settings: Settings,
    *,
    models: ServedModels | None = None,
    shared_dir: Path | None = None,
    cluster: ClusterFront | None = None,
) -> Service:
    """Return the service, its weights loading in the background.

    Args:
        settings: See `backend.settings`.
        models: The weights; by default those that the settings name.
        shared_dir: Where the workers of a server share metrics and journal; None for one that
            is alone.
        cluster: The replicas that compute; None for this process alone.

    Raises:
        CheckpointError: The weights' file is missing or damaged.
        ConfigError: The data folder cannot be written, or the database cannot be used.
        StorageError: A file of the data folder is locked.
    """
    state, access = SharedState(*settings.places), label_studio_access(settings)
    queue, regions = JobQueue(state.jobs()), state.regions()
    telemetry = _telemetry(state, queue, shared_dir)
    registry, recorder = model_registry(state), _recorder(settings, state, telemetry)
    models = models or _models(settings, telemetry, registry, cluster)
    models.start()
    images, finders = _images(settings, access, telemetry), Finders(settings, models)
    predictor = Predictor(
        images,
        _store(settings, telemetry),
        _choice(settings, models, BegunVersions(regions), cluster),
        Edits(ExistingMasks(max_bytes=_EXISTING_BYTES), AnsweredObjects(regions)),
        TaskFinder(images, finders.finder, telemetry, polygon_error_px=settings.polygon_error_px),
        _turns(settings, telemetry, shared_dir, cluster),
        SavedDrafts(access),
        telemetry,
        polygon_error_px=settings.polygon_error_px,
        for_click=for_click,
        on_answer=recorder.answer,
    )
    threading.Thread(target=check_label_studio, args=(access, telemetry), daemon=True).start()
    trainer = Trainer(queue, JobLogs(state.data, state.bucket), settings.train_every)
    return Service(
        predictor=predictor,
        models=models,
        telemetry=telemetry,
        registry=registry,
        trainer=trainer,
        setup=ProjectSetup(models, finders, telemetry),
        projects=ProjectSettings(access, changes=shared_dir and shared_dir / _CHANGES),
        inbox=Inbox(trainer.take, partial(telemetry.failed, during="a webhook"), queue.know),
        recorder=recorder,
        state=state,
        shared_dir=shared_dir,
        label_studio_url=settings.label_studio_page,
    )


def _telemetry(state: SharedState, queue: JobQueue, shared_dir: Path | None) -> Telemetry:
    database, server = state.journal(shared_dir)
    metrics = Metrics(shared_dir)
    metrics.add(JobFigures(queue))
    metrics.add(FineTuningFigures(shared_dir))
    return Telemetry(metrics, Journal(database, server=server))


def _models(
    settings: Settings, telemetry: Telemetry, registry: ModelRegistry, cluster: ClusterFront | None
) -> ServedModels:
    def load(checkpoint: Path | None) -> Segmenter:
        if cluster is not None:
            return RemoteSegmenter.of(cluster.replicas, Which(checkpoint=str(checkpoint or "")))
        return load_mfp(checkpoint, settings)

    def note(segmenter: Segmenter, *, is_loaded: bool) -> None:
        telemetry.metrics.model.labels(segmenter.version, segmenter.device).set(int(is_loaded))

    def fail(error: Exception) -> None:
        telemetry.failed(error, during="looking for promoted versions")

    return ServedModels(
        load,
        version=model_version(settings.checkpoint or DEFAULT_WEIGHTS),
        loaded=LoadedSegmenters(
            max_bytes=settings.models_bytes,
            on_loaded=partial(note, is_loaded=True),
            on_dropped=partial(note, is_loaded=False),
        ),
        registry=registry,
        on_failure=fail,
    )


def _choice(
    settings: Settings, models: ServedModels, versions: BegunVersions, cluster: ClusterFront | None
) -> SegmenterChoice:
    if cluster is None:
        return choice_of(settings, models, versions)
    return remote_choice(cluster.replicas, settings, models, versions)


def _turns(
    settings: Settings, telemetry: Telemetry, shared_dir: Path | None, cluster: ClusterFront | None
) -> Turns:
    return Turns(
        max_places=settings.max_waiting,
        n_turns=_N_TURNS if cluster is None else settings.max_waiting,
        on_change=telemetry.metrics.waiting.set,
        on_turn=telemetry.metrics.step_seconds.labels("wait").observe,
        newest=NewestClicks(
            shared_dir / "newest-clicks" if shared_dir else None,
            next_number=None if cluster is None else cluster.next_number,
        ),
    )


def _recorder(settings: Settings, state: SharedState, telemetry: Telemetry) -> Recorder:
    def open_store() -> SessionStore:
        return SessionStore(state.sessions(), max_bytes=settings.sessions_mb * MEGABYTE)

    def fail(error: Exception) -> None:
        telemetry.failed(error, during="recording how people click")

    return Recorder(open_store if settings.sessions_mb else None, on_failure=fail)


def _store(settings: Settings, telemetry: Telemetry) -> ClickStore:
    return ClickStore(
        max_bytes=settings.clicks_bytes,
        max_age_s=_KEPT_S,
        on_use=telemetry.cache("clicks"),
    )


def _images(settings: Settings, access: LabelStudioAccess, telemetry: Telemetry) -> ImageLoader:
    return ImageLoader(
        image_sources(settings, access),
        decode=Decoder(max_megapixels=settings.max_megapixels).decode,
        cache_bytes=settings.images_bytes,
        cache_age_s=_KEPT_S,
        on_use=telemetry.cache("images"),
    )
