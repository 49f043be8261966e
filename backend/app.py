"""The Flask application: joins the parts, maps errors to answers. The only module that does."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from backend.click_store import ClickStore
from backend.images import ImageLoader
from backend.label_studio_access import LabelStudioAccess
from backend.model_slot import ModelSlot
from backend.predict import Predictor
from backend.request import RequestError, parse_predict
from backend.response import empty_result
from backend.settings import Settings
from mfp_model.errors import MfpError
from mfp_model.segmenters import Segmenter, load_segmenter
from mfp_model.weights import DEFAULT_WEIGHTS, weights_version

_log = logging.getLogger(__name__)
_MEGABYTE = 1_000_000


def create_app(settings: Settings, *, slot: ModelSlot | None = None) -> Flask:
    """Return the application, its weights loading in the background.

    Args:
        settings: See `backend.settings`.
        slot: The model; by default the weights that the settings name.

    Raises:
        CheckpointError: The weights' file is missing or damaged.
    """
    if slot is None:
        checkpoint = settings.checkpoint or DEFAULT_WEIGHTS
        slot = ModelSlot(lambda: _load(settings), version=weights_version(checkpoint))
    slot.start()
    access = LabelStudioAccess(
        url=settings.label_studio_url,
        api_key=settings.label_studio_api_key,
        timeout_s=settings.fetch_timeout_s,
    )
    images = ImageLoader(
        access,
        max_megapixels=settings.max_megapixels,
        max_file_bytes=int(settings.max_image_mb * _MEGABYTE),
        timeout_s=settings.fetch_timeout_s,
        cache_bytes=int(settings.image_cache_mb * _MEGABYTE),
        cache_age_s=settings.cache_age_s,
    )
    store = ClickStore(
        max_bytes=int(settings.click_cache_mb * _MEGABYTE), max_age_s=settings.cache_age_s
    )
    predictor = Predictor(images, store, slot, speck_share=settings.speck_share)
    return _routes(slot, predictor)


def _load(settings: Settings) -> Segmenter:
    segmenter = load_segmenter("mfp", checkpoint=settings.checkpoint, device=settings.device)
    if settings.n_torch_threads:
        import torch

        torch.set_num_threads(settings.n_torch_threads)
    return segmenter


def _routes(slot: ModelSlot, predictor: Predictor) -> Flask:
    app = Flask("backend")
    errors = _Errors()
    app.register_error_handler(Exception, errors.answer)

    @app.get("/")
    @app.get("/health")
    def health() -> tuple[dict[str, Any], int]:
        status = {
            "status": "UP" if slot.failure is None else "DOWN",
            "model_class": "MFP",
            "model_version": slot.version,
            "ready": slot.is_ready,
            "errors": errors.counts(),
        }
        if slot.failure is not None:
            status["failure"] = slot.failure
        return status, 200 if slot.failure is None else 500

    @app.post("/setup")
    def setup() -> dict[str, Any]:
        return {"model_version": slot.version, "ready": slot.is_ready}

    @app.post("/predict")
    def predict() -> dict[str, Any]:
        results = []
        for task in parse_predict(request.get_json(force=True)):
            if task.is_opening:
                predictor.prefetch(task)
            elif task.region is None:
                results.append(empty_result())
            else:
                results.append(predictor.answer(task, task.region))
        return {"results": results}

    @app.post("/webhook")
    def webhook() -> dict[str, Any]:
        body = request.get_json(force=True)
        _log.info("webhook %s", body.get("action") if isinstance(body, dict) else None)
        return {"status": "ok"}

    return app


class _Errors:
    """Says what went wrong, in the answer, the log and the counts.

    The page shows nothing of it: any failure of `/predict` looks the same to the annotator, so
    it is answered with 200 and no result.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def counts(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)

    def answer(self, error: Exception) -> tuple[Response, int]:
        if isinstance(error, HTTPException):
            return jsonify({"error": error.description}), error.code or 500
        request_id = uuid.uuid4().hex[:12]
        with self._lock:
            self._counts[type(error).__name__] += 1
        if isinstance(error, MfpError):
            _log.error("request %s to %s failed: %s", request_id, request.path, error)
            message = str(error)
        else:
            _log.error("request %s to %s failed", request_id, request.path, exc_info=error)
            message = f"internal error, see the log for request {request_id}"
        answer: dict[str, Any] = {"error": message, "request_id": request_id}
        if request.path == "/predict" and not isinstance(error, RequestError):
            return jsonify({"results": [], **answer}), 200
        return jsonify(answer), 400 if isinstance(error, MfpError) else 500
