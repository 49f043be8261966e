"""Which segmenter answers: the label configuration's, the setting's, or MFP.

What is built around MFP's weights follows the versions that serve; the others are loaded when
they are first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backend.models.begun import BegunVersions
from backend.models.served import WAIT_FOR_WEIGHTS_S, NotReadyError, ServedModels
from mfp_model.errors import ConfigError, MfpError
from mfp_model.names import SEGMENTERS
from mfp_model.segmenter import Segmenter

AROUND_MFP = ("mfp", "mfp-refined", "inpaint")

Dress = Callable[[str, Segmenter], Segmenter]


class SegmenterChoice:
    """Segmenters by object."""

    def __init__(
        self,
        models: ServedModels,
        versions: BegunVersions,
        load: Callable[[str], Segmenter],
        dress: Dress,
        by_project: Mapping[str, str],
    ) -> None:
        """Choose among segmenters.

        Args:
            models: MFP's weights.
            versions: Which of them each object was begun on.
            load: Returns a segmenter that is not built around them, by name.
            dress: Returns the one of a name that is, around one of their segmenters.
            by_project: Names by project id; `""` for all others.
        """
        self._models = models
        self._versions = versions
        self._load = load
        self._dress = dress
        self._by_project = by_project

    def segmenter(
        self,
        project: str,
        point_ids: frozenset[str],
        *,
        asked: str | None = None,
        edits: bool = False,
    ) -> Segmenter:
        """Return what answers, on the version that the object was begun on.

        Args:
            project: Label Studio's project id.
            point_ids: Ids of the object's points.
            asked: The name that its label configuration says, None for nothing.
            edits: Whether a mask is edited, which MFP does where another one is chosen.

        Raises:
            ConfigError: The label configuration names a segmenter that there is not.
            NotReadyError: The weights are not loaded, or cannot be.
            RegistryAwayError: They cannot be had just now.
        """
        name = self.name(project, asked)
        if edits:
            name = "mfp"
        if name not in AROUND_MFP:
            return self._kept(name, name, lambda: self._load(name))
        begun = self._versions.version(point_ids)
        inner = self._models.segmenter(project, begun=begun, wait_s=WAIT_FOR_WEIGHTS_S)
        self._versions.remember(point_ids, inner.version)
        if name == "mfp":
            return inner
        return self._kept(inner.version, name, lambda: self._dress(name, inner))

    def name(self, project: str, asked: str | None) -> str:
        """Return the name of the segmenter that answers in a project.

        Args:
            project: Label Studio's project id.
            asked: What its label configuration says, None for nothing.

        Raises:
            ConfigError: There is no such segmenter.
        """
        if asked is None:
            return self._by_project.get(project, self._by_project.get("", "mfp"))
        if asked not in SEGMENTERS:
            names = ", ".join(SEGMENTERS)
            raise ConfigError(f"label config: segmenter={asked!r:.40}, expected one of {names}")
        return asked

    def _kept(self, group: str, name: str, make: Callable[[], Segmenter]) -> Segmenter:
        try:
            return self._models.loaded.get(group, name, make)
        except NotReadyError:
            raise
        except MfpError as error:
            raise NotReadyError(f"segmenter {name} cannot be loaded: {error}") from None
