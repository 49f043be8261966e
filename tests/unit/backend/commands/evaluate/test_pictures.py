"""A picture of each object that is clicked on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backend.commands.evaluate.pictures import Pictures
from mfp_model.evaluation.mask_metrics import Confusion
from mfp_model.evaluation.objects import EvaluationObject
from mfp_model.evaluation.protocol import ClickedObject, ObjectResult


def test_each_object_has_a_picture_though_their_names_are_alike(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    names = ["dog/0#1", "dog_0#1", "dog 0#1", "Dog_0#1", "dog_0#1-2", "ü.jpg#2"]
    for name in names:
        pictures.save(*_clicked(name))
    assert {path.name for path in tmp_path.iterdir()} == {
        "dog_0#1.png",
        "dog_0#1-2.png",
        "dog_0#1-3.png",
        "Dog_0#1-4.png",
        "dog_0#1-2-2.png",
        "ü.jpg#2.png",
    }


def test_a_name_that_files_cannot_have_keeps_its_end(tmp_path: Path) -> None:
    pictures = Pictures(tmp_path)
    for number in (1, 2):
        pictures.save(*_clicked(f"{'фото ' * 50}.jpg#{number}"))
    assert [path.name[-10:] for path in sorted(tmp_path.iterdir())] == [
        ".jpg#1.png",
        ".jpg#2.png",
    ]


def _clicked(name: str) -> tuple[EvaluationObject, ClickedObject]:
    mask = np.ones((4, 6), np.bool_)
    image = np.zeros((4, 6, 3), np.uint8)
    result = ObjectResult(
        name=name,
        ious=(1.0,),
        seconds=0.0,
        confusion=Confusion.of(mask, mask, mask),
        boundary_f=1.0,
        n_object_px=24,
        obeyed=(True,),
        n_earlier=0,
        n_earlier_obeyed=0,
    )
    target = EvaluationObject(name=name, image=image, truth=mask, valid=mask)
    return target, ClickedObject(result=result, clicks=(), mask=mask)
