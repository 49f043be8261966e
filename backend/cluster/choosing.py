"""The choice among segmenters where replicas compute."""

from __future__ import annotations

from dataclasses import replace

from backend.cluster.messages import Which
from backend.cluster.remote import RemoteSegmenter, Replicas
from backend.models.begun import BegunVersions
from backend.models.segmenter_choice import SegmenterChoice
from backend.models.served import ServedModels
from backend.settings import Settings
from mfp_model.segmenter import Segmenter


def remote_choice(
    replicas: Replicas, settings: Settings, models: ServedModels, versions: BegunVersions
) -> SegmenterChoice:
    """Return the choice that the settings describe; what is chosen is computed by replicas."""

    def load(name: str) -> Segmenter:
        return RemoteSegmenter.of(replicas, Which(name=name))

    def dress(name: str, inner: Segmenter) -> Segmenter:
        assert isinstance(inner, RemoteSegmenter), "replicas compute all"
        return RemoteSegmenter.of(replicas, replace(inner.which, name=name))

    return SegmenterChoice(models, versions, load, dress, settings.segmenter)
