"""What tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.mfp_model.coco_folder import make_coco_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO folder of few images."""
    return make_coco_folder(tmp_path_factory.mktemp("coco"))
