"""Replicas as a deployment of Ray Serve.

A session goes to the replica that a consistent hash names, so a replica that is added or lost moves
only its share of the sessions. One that is busy lets the next one on the ring help out.
Ray's own model multiplexing is not used: it binds a version to one replica.
"""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ray import serve
from ray.serve.config import RequestRouterConfig

from backend.cluster.handshake import installed_version
from backend.cluster.messages import MESSAGE_LIMIT, Picture, Round, Which, packed_answer
from backend.cluster.places import without_secrets
from backend.cluster.register import SharedRegister
from backend.cluster.replica import Replica
from backend.models.loading import load_mfp, load_other
from backend.settings import Settings
from mfp_model.loading import dressed
from mfp_model.segmenter import Segmenter
from mfp_model.weights.versions import ANSWERS

APPLICATION, DEPLOYMENT = "mfp", "replicas"

_ROUTER = "ray.serve.experimental.consistent_hash_router.ConsistentHashRouter"
_MAX_AT_ONCE = 4  # requests of one replica; more go to the next on the ring
_HEALTH_EVERY_S = 5.0
_END_S = 20.0
_ENVIRONMENT = {
    **MESSAGE_LIMIT,
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",  # 2 ms of a click
}

Load = Callable[[Settings, Which], Segmenter]


class ServedReplica:
    """A replica as Ray Serve runs it: content and answers are bytes, errors are answers."""

    def __init__(self, settings: Settings, load: Load) -> None:
        """Load the weights of the settings; errors as of `Replica`."""
        logging.basicConfig(level=logging.INFO)
        self._wants = wants(settings)
        self._replica = Replica(
            partial(load, settings),
            dressed,
            partial(SharedRegister().agree, _key(self._wants)),
            n_threads=settings.n_torch_threads,
            images_bytes=settings.images_bytes,
            rounds_bytes=settings.clicks_bytes,
            models_bytes=settings.models_bytes,
        )

    def check_health(self) -> None:
        """See that it computes as the others; Ray Serve ends it where that raises."""
        self._replica.check()

    def wants(self) -> Mapping[str, str]:
        """Return what it was started for, see `wants`."""
        return self._wants

    def facts(self, which: Which) -> bytes:
        """Answer as `Replica.facts`."""
        return packed_answer(lambda: self._replica.facts(which))

    def next_round(self, content: bytes) -> bytes:
        """Answer as `Replica.next_round`."""
        asked: Round = pickle.loads(content)
        return packed_answer(lambda: self._replica.next_round(asked))

    def appearance(self, which: Which, content: bytes) -> bytes:
        """Answer as `Replica.appearance`."""
        picture: Picture = pickle.loads(content)
        return packed_answer(lambda: self._replica.appearance(which, picture))


def wants(settings: Settings) -> Mapping[str, str]:
    """Return in what fronts and replicas must agree: settings, and what decodes and answers."""
    packages = ("label-studio-mfp", "pillow", "opencv-python-headless", "numpy")
    return {
        "MFP_CHECKPOINT": str(settings.checkpoint or "shipped"),
        "MFP_DEVICE": settings.device,
        "MFP_ENGINE": settings.engine,
        "MFP_DATA_DIR": str(settings.data_dir),
        "MFP_BUCKET": settings.bucket_url,
        "answers": str(ANSWERS),
        **{name: installed_version(name) for name in packages},
    }


def load(settings: Settings, which: Which) -> Segmenter:
    """Return a segmenter that is not built around another one."""
    if which.name == "mfp":
        return load_mfp(Path(which.checkpoint) if which.checkpoint else None, settings)
    return load_other(which.name, settings)


def deploy(settings: Settings, *, n_replicas: int, has_gpus: bool, load: Load = load) -> None:
    """Start the replicas, and wait until they serve; those that serve already go on.

    Args:
        settings: What they compute with; passwords are not sent.
        n_replicas: How many.
        has_gpus: Whether each has a GPU of its own.
        load: Loads their segmenters.

    Raises:
        RuntimeError: One cannot start.
    """
    settings = without_secrets(settings)
    options = {
        "num_cpus": settings.n_torch_threads,
        "num_gpus": int(has_gpus),
        "runtime_env": {"env_vars": _ENVIRONMENT},
    }
    deployment = serve.deployment(
        name=DEPLOYMENT,
        num_replicas=n_replicas,
        max_ongoing_requests=_MAX_AT_ONCE,
        ray_actor_options=options,
        health_check_period_s=_HEALTH_EVERY_S,
        graceful_shutdown_timeout_s=_END_S,
        logging_config={"log_level": "WARNING", "enable_access_log": False},
        request_router_config=RequestRouterConfig(request_router_class=_ROUTER),
    )(ServedReplica)
    deployment._version = _key(wants(settings))  # else those that serve are all started anew
    serve.start(proxy_location="Disabled")  # fronts take the requests
    serve.run(deployment.bind(settings, load), name=APPLICATION, route_prefix=None)


def _key(served: Mapping[str, str]) -> str:
    text = " ".join(f"{name}={value}" for name, value in sorted(served.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
