"""What a click's answer starts from and keeps clear of, and the answer itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.label_studio.request import RegionRequest, TaskRequest
from backend.storage.packed_runs import pack
from mfp_model.masks.runs import MaskRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edit:
    """What is there already, as an answer needs it.

    Attributes:
        region_id: Of the mask that is being edited, None for a new object.
        labels: That mask's.
        prior: Its pixels as they were before the object's first click.
        others: Pixels that the answer must not cover, beside the prior's.
    """

    region_id: str | None = None
    labels: tuple[str, ...] = ()
    prior: MaskRuns | None = None
    others: MaskRuns | None = None

    @property
    def key(self) -> str:
        """What tells this prior from others; empty for none."""
        return "" if self.prior is None else hashlib.sha256(pack(self.prior)).hexdigest()

    def labels_of(self, region: RegionRequest) -> tuple[str, ...]:
        """Return the answer's labels: the edited mask's, or those that were asked for."""
        return region.labels if self.region_id is None else self.labels

    def bounded(self, answer: MaskRuns) -> MaskRuns:
        """Return the answer without what it must not cover."""
        if self.others is None:
            return answer
        others = self.others if self.prior is None else self.others.minus(self.prior)
        return answer.minus(others)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answered:
    """An object's clicks and the mask that answers them.

    Attributes:
        task: The task.
        region: The object and its clicks.
        edit: What was there already.
        runs: The mask.
        result: The entry of `results` that is sent.
    """

    task: TaskRequest
    region: RegionRequest
    edit: Edit
    runs: MaskRuns
    result: Mapping[str, Any]
