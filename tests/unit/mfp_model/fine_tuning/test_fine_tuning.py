import json
import shutil
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mfp_model.errors import ConfigError, DataError
from mfp_model.evaluation.scores import Scores
from mfp_model.fine_tuning import fine_tune as module
from mfp_model.fine_tuning import gate, recipe, replay
from mfp_model.fine_tuning.corrections import split_corrections
from mfp_model.fine_tuning.fine_tune import fine_tune
from mfp_model.fine_tuning.gate import GENERAL_SET, Judgement, verdict
from mfp_model.fine_tuning.job import FineTuneJob, Progress, StoppedError
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.training.datasets import read_dataset
from tests.unit.mfp_model.coco_folder import make_coco_folder


def _scores(noc: float) -> Scores:
    return Scores(
        noc={"0.85": noc, "0.90": noc + 1, "0.95": 20.0},
        nof={"0.85": 0},
        miou_at=(0.5,) * 20,
        auc=0.5,
        spc_s=0.1,
        n_objects=3,
    )


def _judged(corrections: float, general: float) -> Judgement:
    return Judgement(version="v", corrections=_scores(corrections), general=_scores(general))


def test_only_what_is_better_and_forgets_little_passes() -> None:
    base = _judged(5, 3)
    assert verdict(_judged(4, 3 + gate.GENERAL_MARGIN), base).passes
    forgetful = verdict(_judged(2, 3.1 + gate.GENERAL_MARGIN), base)
    assert not forgetful.passes
    assert "forgets" in forgetful.reason
    same = verdict(_judged(5, 1), base)
    assert not same.passes
    assert "not better: corrections 5.50 -> 5.50" in same.reason
    assert same.sentence == (
        "Not served, since it is not better: on masks that it did not learn from it needs 5.5 "
        "clicks, the version before 5.5."
    )
    assert verdict(_judged(4, 3), base).sentence.startswith("Better: ")
    assert "forgotten" in forgetful.sentence


def test_a_judgement_survives_json() -> None:
    judged = _judged(5, 3)
    assert Judgement.from_json(json.loads(json.dumps(judged.as_json()))) == judged


def test_the_general_set_is_there_with_its_images() -> None:
    images = read_dataset(GENERAL_SET)
    assert sum(len(image.objects) for image in images) == 13
    for image in images:
        height, width = image.pixels().shape[:2]
        assert image.mask(0, height=height, width=width).any()


def test_images_are_held_out_by_name_and_corrected_masks_weigh_more(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=10)
    content = json.loads((root / "annotations.json").read_text())
    for number, annotation in enumerate(content["annotations"]):
        origin = ("prediction", "prediction-changed", "manual")[number % 3]
        annotation["label_studio"] = {"origin": origin}
    (root / "annotations.json").write_text(json.dumps(content))
    split = split_corrections(root, tmp_path / "split")
    train, held_out = read_dataset(split.train), read_dataset(split.held_out)
    assert (len(train), len(held_out)) == (8, 2)
    assert not {image.path.name for image in train} & {image.path.name for image in held_out}
    assert {image.weights for image in train} == {(1.0, 3.0)}
    assert split.summary["objects"] == 16
    assert split.summary["corrected"] == 8
    assert split.summary["labels"] == {"square": 20}
    again = split_corrections(root, tmp_path / "split")
    assert [image.path for image in read_dataset(again.train)] == [image.path for image in train]


def test_a_photo_that_is_there_twice_is_on_one_side_also_where_the_sides_meet(
    tmp_path: Path,
) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=10)
    split = split_corrections(root, tmp_path / "split")
    last_held_out = max((split.held_out / "images").iterdir(), key=_digest)
    first_learned = min((split.train / "images").iterdir(), key=_digest)
    shutil.copyfile(last_held_out.resolve(), first_learned.resolve())
    split = split_corrections(root, tmp_path / "split")
    sides = [
        set(map(_digest, (side / "images").iterdir())) for side in (split.train, split.held_out)
    ]
    assert not sides[0] & sides[1]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_rows_of_one_file_do_not_end_the_split(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=6)
    content = json.loads((root / "annotations.json").read_text())
    content["images"][3]["file_name"] = content["images"][2]["file_name"]
    (root / "annotations.json").write_text(json.dumps(content))
    assert split_corrections(root, tmp_path / "split").summary["images"] == 6


def test_a_run_does_not_go_on_with_scores_of_other_images(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=6)
    digests = [split_corrections(root, tmp_path / "split").summary["digest"]]
    content = (root / "images" / "5.png").read_bytes()
    (root / "images" / "5.png").unlink()
    digests += [split_corrections(root, tmp_path / "split", on_problem=[].append).summary["digest"]]
    (root / "images" / "5.png").write_bytes(content)
    digests += [split_corrections(root, tmp_path / "split").summary["digest"]]
    assert digests[0] == digests[2] != digests[1]


def test_damaged_masks_are_told_before_anything_is_computed_and_crowds_stay(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=6)
    content = json.loads((root / "annotations.json").read_text())
    del content["annotations"][0]["segmentation"]
    content["annotations"][4]["segmentation"] = []
    (root / "annotations.json").write_text(json.dumps(content))
    (root / "images" / "5.png").unlink()
    problems: list[str] = []
    split = split_corrections(root, tmp_path / "split", on_problem=problems.append)
    assert [problem.split("annotations.json: ")[1][:22] for problem in problems] == [
        "image 0: annotation 0:",
        "image 1: annotation 4:",
        "image 5: no such file:",
    ]
    assert split.summary["images"] == 5
    assert split.summary["objects"] + split.summary["held_out_objects"] == 8
    assert all(len(image.crowds) == 1 for image in read_dataset(split.train))
    with pytest.raises(DataError, match="image 0: annotation 0: segmentation None"):
        split_corrections(root, tmp_path / "split")


def test_few_images_are_refused_however_often_they_are_there(tmp_path: Path) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=6)
    for number in (3, 4, 5):
        shutil.copyfile(root / "images" / "0.png", root / "images" / f"{number}.png")
    with pytest.raises(DataError, match="masks on 3 images, expected at least 4"):
        split_corrections(root, tmp_path / "split")


@pytest.mark.parametrize("often", [0, 1, 2, 3])
def test_something_is_learned_of_where_nearly_all_is_one_photo(tmp_path: Path, often: int) -> None:
    root = make_coco_folder(tmp_path / "data", n_images=12)
    photos = sorted((root / "images").glob("[0-3].png"), key=_digest)
    for number in range(4, 12):
        shutil.copyfile(photos[often], root / "images" / f"{number}.png")
    split = split_corrections(root, tmp_path / "split")
    sides = [
        set(map(_digest, (side / "images").iterdir())) for side in (split.train, split.held_out)
    ]
    assert min(map(len, sides)) > 0
    assert not sides[0] & sides[1]


@pytest.fixture
def job(
    tmp_path: Path, tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> FineTuneJob:
    general = make_coco_folder(tmp_path / "general", n_images=1)
    monkeypatch.setattr(gate, "GENERAL_SET", general)
    monkeypatch.setattr(module, "GENERAL_SET", general)
    monkeypatch.setattr(replay, "_TRIES", 2)
    monkeypatch.setattr(recipe, "N_VALIDATION", 2)
    monkeypatch.setattr(recipe, "EPOCH_SAMPLES", 32)
    monkeypatch.setattr(module, "BLENDS", (1.0, 0.5))
    save_checkpoint(tiny_checkpoint, tmp_path / "base.safetensors")
    return FineTuneJob(
        data=make_coco_folder(tmp_path / "data", n_images=5),
        base=tmp_path / "base.safetensors",
        out=tmp_path / "out" / "tuned.safetensors",
        version="tuned-1",
        work=tmp_path / "work",
        n_samples=64,
        device="cpu",
        n_workers=0,
        engine="pytorch-f32",  # made in no time
    )


def test_a_file_that_the_manifest_would_replace_is_left_alone(job: FineTuneJob) -> None:
    job.out.parent.mkdir()
    job.manifest.write_text('[{"id": 1, "annotations": []}]')
    with pytest.raises(ConfigError, match=r"tuned.json: is there already, and is no manifest"):
        fine_tune(job)
    job.manifest.write_text('{"passes": false}')
    job.check()


@pytest.mark.slow
def test_a_run_leaves_weights_a_report_and_a_manifest(job: FineTuneJob) -> None:
    seen: list[Progress] = []
    decision = fine_tune(replace(job, replay=((job.data, 1.0),)), report=seen.append)
    tuned = load_checkpoint(job.out)
    assert tuned.version == "tuned-1"
    learned = {data["name"]: data["images"] for data in tuned.origin["data"]}
    assert learned["data"] == learned["train"] == 4  # of 5; the other one is held out
    assert tuned.origin["fine_tuned_from"] == "tiny-1"
    manifest = job.read_manifest()
    assert manifest["passes"] == decision.passes
    assert manifest["data"]["images"] == 5
    assert all(
        set(x["corrections"]["noc"]) == {"0.85", "0.90"} for x in manifest["scores"].values()
    )
    page = job.report.read_text()
    assert decision.reason in page.replace("&gt;", ">")
    assert page.count("data:image/png;base64,") == 4
    assert page.index(decision.sentence.partition(":")[0]) < page.index(manifest["base"])
    rows = (job.work / "tuned.validation.csv").read_text().splitlines()[1:]
    assert [float(row.split(",")[1]) for row in rows] == [0, 32, 64]
    shares = [progress.share for progress in seen]
    assert shares == sorted(shares)
    assert 0.85 < shares[-1] <= 1


@pytest.mark.slow
def test_a_run_that_was_stopped_in_each_step_goes_on_to_the_same_weights(
    job: FineTuneJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[str] = []

    def made(checkpoint: Checkpoint, *, device: str, engine: str) -> MfpSegmenter:
        engines.append(engine)
        return MfpSegmenter(checkpoint, device=device, engine=engine)

    monkeypatch.setattr(module, "MfpSegmenter", made)
    fine_tune(job)
    assert set(engines) == {"pytorch-f32"}
    whole = load_checkpoint(job.out).weights
    shutil.rmtree(job.work)
    job = replace(job, out=job.out.with_name("resumed.safetensors"))
    for step in ("replay", "judge the old", "train", "judge the new"):
        steps: list[str] = []

        def should_stop(steps: list[str] = steps, step: str = step) -> bool:
            return steps.count(step) >= 2

        with pytest.raises(StoppedError):
            fine_tune(
                job,
                report=lambda progress, steps=steps: steps.append(progress.step),  # type: ignore[misc]
                should_stop=should_stop,
            )
        assert not job.out.exists()
    fine_tune(job)
    resumed = load_checkpoint(job.out).weights
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)
