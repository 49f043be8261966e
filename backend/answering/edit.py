"""What a click's answer starts from and keeps clear of, and the answer itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.label_studio.region_request import PlacedPrompt, RegionRequest
from backend.label_studio.request import TaskRequest
from backend.storage.packed_runs import pack
from mfp_model.masks.runs import MaskRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edit:
    """What is there already, as an answer needs it.

    Attributes:
        placed: All prompts of the object, those of earlier answers that it goes on from, too.
        regions: Ids of the page's regions in whose place the answer comes; none for a new object.
        labels: Of what is there; None where the prompts say them.
        is_accepted: The page has these regions, as far as is known; else they wait for the check.
        is_new: The object was begun by prompts, and not by a mask that was there.
        before: What the page shows of it, None for nothing.
        prior: Its pixels as they were before its first prompt, None where there were none.
        others: Pixels that the answer must not cover, beside the prior's.
        joined: Ids of further regions whose pixels the answer takes in, and that are left over.
    """

    placed: tuple[PlacedPrompt, ...]
    regions: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    is_accepted: bool = True
    is_new: bool = True
    before: MaskRuns | None = None
    prior: MaskRuns | None = None
    others: MaskRuns | None = None
    joined: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """What tells this prior from others; empty for none."""
        return "" if self.prior is None else hashlib.sha256(pack(self.prior)).hexdigest()

    def labels_of(self, region: RegionRequest) -> tuple[str, ...]:
        """Return the answer's labels: the edited mask's, or those that were asked for."""
        return region.labels if self.labels is None else self.labels

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
