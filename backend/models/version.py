"""A version of the weights, and the names that one can have."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.models.serving import RegistryError
from backend.models.version_files import MANIFEST, VersionEntry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
_BEGINNING_LETTERS = 50  # which leaves room for a project and a job


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """A version that is there.

    Attributes:
        version: Its name, the model version of its answers.
        manifest: What is known of it: base, data, scores, time.
        has_report: Whether it has a page.
    """

    version: str
    manifest: Mapping[str, Any]
    has_report: bool

    @property
    def added(self) -> float:
        """When it was put there, in seconds since 1970; 0 where that is not known."""
        added = self.manifest.get("added")
        return float(added) if isinstance(added, int | float) else 0.0


def is_name(version: str) -> bool:
    """Return whether a version can have this name: it is that of a folder."""
    return _NAME.fullmatch(version) is not None


def check_name(version: str) -> None:
    """Refuse a version that cannot be one here, before weights of that name are learned.

    Raises:
        RegistryError: The name cannot be one of a folder.
    """
    if not is_name(version):
        raise RegistryError(
            f"model version {version!r:.80}: expected up to 80 letters, digits, . _ -"
        )


def beginning(version: str) -> str:
    """Return what names of versions can begin with that are made of any weights' version."""
    return _STRANGE.sub("-", version)[:_BEGINNING_LETTERS].lstrip("._-") or "weights"


def version_of(name: str, entry: VersionEntry) -> ModelVersion:
    """Return a version of what its folder has.

    Raises:
        RegistryError: Its manifest is damaged.
    """
    try:
        manifest = json.loads(entry.manifest)
        if not isinstance(manifest, dict):
            raise ValueError(f"expected an object, got {type(manifest).__name__}")
    except ValueError as error:
        raise RegistryError(f"{name}/{MANIFEST}: damaged ({error})") from None
    return ModelVersion(version=name, manifest=manifest, has_report=entry.has_report)
