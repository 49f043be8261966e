"""What the parent imports before it starts workers, so that they share it."""

from __future__ import annotations

import gc
import importlib
import logging
import time

from PIL import Image

from backend.settings import Settings

_log = logging.getLogger(__name__)
_SERVES = ("backend.server.app",)
_COMPUTES = ("mfp_model.segmenters.mfp", "safetensors.torch", "scipy.sparse.csgraph")
_OPENVINO = ("openvino.frontend", "openvino.frontend.pytorch.ts_decoder")


def import_for_workers(settings: Settings, *, computes: bool) -> None:
    """Import what each worker needs, before the first one is forked.

    Workers then start without waiting for it and share its memory, which nobody changes. Nothing
    is computed here and no device is asked for: threads do not live on in a forked process, and
    CUDA cannot be used in one whose parent has used it. What cannot be imported is left to the
    workers, which tell of it.

    Args:
        settings: The server's.
        computes: Whether the workers compute; replicas do it for them otherwise.
    """
    began = time.monotonic()
    names = _SERVES + (_COMPUTES if computes else ())
    gc.disable()  # modules stay: looking for garbage among them takes an eighth of the time
    try:
        for name in names:
            importlib.import_module(name)
        if computes and _may_use_openvino(settings):
            _import_openvino()
    except Exception as error:
        _log.warning("workers import for themselves what the server cannot: %s", error)
    Image.init()
    gc.enable()
    gc.collect()
    gc.freeze()  # what is here stays: collecting garbage in a worker would copy it
    _log.info("imported in %.1f s what workers share", time.monotonic() - began)


def _may_use_openvino(settings: Settings) -> bool:
    return settings.engine.startswith(("auto", "openvino")) and settings.device in ("auto", "cpu")


def _import_openvino() -> None:
    from mfp_model.engines.openvino import import_silently

    import_silently()
    for name in _OPENVINO:
        importlib.import_module(name)
