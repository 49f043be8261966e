"""Label Studio's `/setup`: the model version of a project, and what is wrong in its configuration.

Label Studio asks when a backend is connected and whenever a task is opened, so a mistake is on the
status page before the first click.
"""

from __future__ import annotations

from backend.finding.loaded_finders import Finders
from backend.label_studio.config_check import problems_of
from backend.label_studio.config_xml import LabelConfigError
from backend.label_studio.label_config import LabelConfig, parse_label_config
from backend.models.served import ServedModels
from backend.monitoring.telemetry import Telemetry
from backend.storage.bounded_cache import BoundedCache

_AGAIN_S = 600.0  # a mistake that stays is told again after this time
_NOTED_BYTES = 1_000_000


class ProjectSetup:
    """Answers `/setup`."""

    def __init__(self, models: ServedModels, finders: Finders, telemetry: Telemetry) -> None:
        self._models = models
        self._finders = finders
        self._telemetry = telemetry
        self._noted: BoundedCache[str, str] = BoundedCache(
            max_bytes=_NOTED_BYTES, max_age_s=_AGAIN_S
        )

    def version(self, project: str, label_config: str) -> str:
        """Return the model version of the predictions that a project gets.

        Label Studio shows those of this version, so for a project with a finder it is that one's.
        What is wrong in the configuration is noted for the status page.

        Args:
            project: Label Studio's project id.
            label_config: The project's label configuration; empty where it was not sent.
        """
        if not label_config:
            return self._models.version_of(project)
        try:
            config = parse_label_config(label_config)
        except LabelConfigError as error:
            self._note(project, [str(error)])
            return self._models.version_of(project)
        self._note(project, problems_of(config))
        return self._version(project, config)

    def _version(self, project: str, config: LabelConfig) -> str:
        for control in config.controls:
            if control.finder:
                return self._finders.version(control.finder, control.inpainter, project)
        return self._models.version_of(project)

    def _note(self, project: str, problems: list[str]) -> None:
        """Tell of each problem when it appears, and not at every opening of a task."""
        text = "\n".join(problems)
        if text == (self._noted.get(project) or ""):
            return
        self._noted.put(project, text, len(project) + len(text))
        for problem in problems:
            error = LabelConfigError(problem)
            self._telemetry.failed(error, during=f"setup of project {project[:20]}")
