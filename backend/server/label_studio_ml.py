"""For those who serve models with label-studio-ml: the class that it expects.

A thin cover over the same service as `mfp serve`, which does more: label-studio-ml answers without
access control and starts a process for each webhook. Works with version 1.0.9 from PyPI and with
the 2.x signatures:

    from label_studio_ml.api import init_app
    from backend.server.label_studio_ml import MfpBackend
    app = init_app(model_class=MfpBackend)
"""

from __future__ import annotations

import os
import threading
from typing import Any

from flask import has_request_context, request
from label_studio_ml.model import LabelStudioMLBase

from backend.label_studio.request import parse_predict
from backend.server.service import Service, create_service
from backend.settings import Settings
from mfp_model.errors import MfpError


class MfpBackend(LabelStudioMLBase):  # type: ignore[misc]
    """Answers clicks; all its instances, which label-studio-ml makes at will, share one service."""

    _service: Service | None = None
    _lock = threading.Lock()

    @classmethod
    def service(cls) -> Service:
        """Return the service, made at first use with the settings of the environment.

        Raises:
            ConfigError: A setting is wrong.
            CheckpointError: The weights' file is missing or damaged.
        """
        with cls._lock:
            if cls._service is None:
                cls._service = create_service(Settings.from_env(os.environ))
            return cls._service

    def setup(self) -> None:
        """Tell the model version (2.x)."""
        self.set("model_version", self.service().models.version)

    def predict(
        self, tasks: list[dict[str, Any]], context: dict[str, Any] | None = None, **kwargs: object
    ) -> list[dict[str, Any]]:
        """Return an entry of `results` for each task, empty where there is no answer.

        Args:
            tasks: Label Studio's tasks.
            context: The clicks, as in `/predict`.
            **kwargs: Not used.
        """
        service = self.service()
        body = {
            "tasks": tasks,
            "label_config": self._label_config(),
            "params": {"context": context},
        }
        try:
            return service.predictor.results(parse_predict(body, service.projects.of))
        except MfpError as error:
            service.telemetry.failed(error, during="predict")
            return []

    def _label_config(self) -> str:
        """The request's own; 1.0.9 keeps one instance for all projects, with the last one's."""
        sent = request.get_json(silent=True) if has_request_context() else None
        config = sent.get("label_config") if isinstance(sent, dict) else None
        return config if isinstance(config, str) else self.label_config or ""

    def fit(self, *arguments: object, **kwargs: object) -> dict[str, Any]:
        """Return nothing: fine-tuning belongs to `mfp serve`."""
        return {}
