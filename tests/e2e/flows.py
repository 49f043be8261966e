"""What the tests of flows share: a project in the page, and what an answer's mask has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.demo.processes import Server
from backend.label_studio.api import LabelStudioApi
from backend.label_studio.brush_rle import decode
from mfp_model.masks.depths import deepest_click
from mfp_model.masks.polygons import mask_of
from tests.e2e.conftest import PHOTOS, ROOT
from tests.e2e.label_studio_calls import tasks_of
from tests.e2e.labeling_page import LabelingPage

CAT, CORNER = (45.0, 55.0), (92.0, 92.0)  # places on the photo, in percent
CONFIGS = ROOT / "label_config"


def open_flow(
    tab: LabelingPage, api: LabelStudioApi, backend: Server, config: str, *, auto_accept: bool
) -> int:
    """Open the only task of a new project, ready for clicks, and return its id."""
    project = api.create_project(f"flow {config}", (CONFIGS / config).read_text())
    api.upload(project, [PHOTOS / "cat.jpg"])
    return open_only_task(tab, api, backend.url, project, auto_accept=auto_accept)


def open_only_task(
    tab: LabelingPage, api: LabelStudioApi, backend_url: str, project: int, *, auto_accept: bool
) -> int:
    """Connect a project's backend, open its only task, ready for clicks, and return its id."""
    api.connect_backend(project, backend_url)
    task = int(tasks_of(api, project)[0]["id"])
    tab.open_task(project, task)
    tab.switch_on_clicking()
    tab.switch_auto_accept(auto_accept)
    tab.switch_on_clicking()  # the switch may have cost the tool
    return task


def mask_of_answer(answer: dict[str, Any]) -> NDArray[np.bool_]:
    """The pixels of all that an answer sends."""
    rows = answer["data"]["result"]
    height, width = rows[0]["original_height"], rows[0]["original_width"]
    if rows[0]["type"] == "brushlabels":
        masks = [decode(row["value"]["rle"], height=height, width=width) > 127 for row in rows]
        return np.asarray(np.any(masks, axis=0))
    polygons = [np.array(row["value"]["points"]) / 100 * (width, height) for row in rows]
    return mask_of(polygons, height=height, width=width)


def ids_of(answer: dict[str, Any]) -> set[str]:
    """The ids of an answer's regions."""
    return {str(row["id"]) for row in answer["data"]["result"]}


def first_id(answer: dict[str, Any]) -> str:
    """The id of an answer's first region."""
    return str(answer["data"]["result"][0]["id"])


def mask_ids(tab: LabelingPage) -> set[str]:
    """The ids of the masks on a page."""
    return {mask["id"] for mask in tab.masks()}


def lies_at(mask: NDArray[np.bool_], x: float, y: float) -> bool:
    """Whether a mask has the pixel at a place in percent."""
    height, width = mask.shape
    return bool(mask[int(y / 100 * height), int(x / 100 * width)])


def place_inside(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """A place deep in a mask, in percent."""
    click = deepest_click(mask)
    height, width = mask.shape
    return click.x / width * 100, click.y / height * 100
