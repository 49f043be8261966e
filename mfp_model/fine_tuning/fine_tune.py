"""Fine-tuning from start to end: split, replay, train, judge, report.

Each step leaves its result in the work folder, and a run that was cut goes on from there.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from mfp_model.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mfp_model.data.coco import OnProblem, read_coco, refuse
from mfp_model.files import write_atomically
from mfp_model.fine_tuning.blends import best_blend, blended
from mfp_model.fine_tuning.corrections import Corrections, split_corrections
from mfp_model.fine_tuning.gate import (
    GENERAL_SET,
    Judgement,
    Verdict,
    judge_corrections,
    judge_general,
)
from mfp_model.fine_tuning.job import FineTuneJob, Progress, Report, StoppedError
from mfp_model.fine_tuning.recipe import BLENDS, training_of
from mfp_model.fine_tuning.replay import write_replay
from mfp_model.segmenters.mfp import MfpSegmenter
from mfp_model.training.datasets import read_dataset

# Steps of a run and the share of the whole that is done when each ends.
_STEPS = {"replay": 0.1, "judge the old": 0.15, "train": 0.85, "judge the new": 1.0}


def fine_tune(
    job: FineTuneJob,
    *,
    report: Report = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
    on_problem: OnProblem = refuse,
) -> Verdict:
    """Fine-tune, and write the candidate with its report and manifest, whether it passes or not.

    Args:
        job: What to do.
        report: Told of progress.
        should_stop: Asked often; True ends the run, to be gone on with later.
        on_problem: Told, before anything is computed, of each image and mask that is damaged and
            so left out.

    Raises:
        DataError: The data cannot be read, or has masks on too few images.
        CheckpointError: A checkpoint cannot be read.
        ConfigError: Beside the candidate lies a file that the manifest would replace.
        StoppedError: It was asked to stop.
    """
    job.check()
    for folder, _ in job.replay:
        read_dataset(folder, on_problem=on_problem)
    corrections = split_corrections(job.data, job.work / "split", on_problem=on_problem)
    return _FineTuning(job, report, should_stop).run(corrections)


ReportShare = Callable[[float], None]


class _Blend:
    """A mixture of weights that is tried: what is slow to make is made when it is first needed."""

    def __init__(
        self,
        share: float,
        make: Callable[[], Checkpoint],
        load: Callable[[Checkpoint], MfpSegmenter],
    ) -> None:
        self.share = share
        self._make = make
        self._load = load

    @cached_property
    def checkpoint(self) -> Checkpoint:
        return self._make()

    @cached_property
    def segmenter(self) -> MfpSegmenter:
        return self._load(self.checkpoint)


class _FineTuning:
    def __init__(self, job: FineTuneJob, report: Report, should_stop: Callable[[], bool]) -> None:
        self._job = job
        self._report = report
        self._should_stop = should_stop
        self._base = load_checkpoint(job.base)
        self._served = self._base
        if job.served and job.served != job.base:
            self._served = load_checkpoint(job.served)
        # An engine takes as long to make as some objects to judge.
        self._old_segmenter = cache(lambda: self._segmenter(self._served))

    def run(self, corrections: Corrections) -> Verdict:
        job = self._job
        self._begin_anew_if_changed(corrections)
        replay = job.work / "replay"
        is_served = self._served is self._base
        has_replay = write_replay(
            self._old_segmenter() if is_served else self._segmenter(self._base),
            replay,
            report=lambda share: self._tell("replay", share),
        )
        old = self._judged(
            self._old_segmenter, corrections, "served", partial(self._tell, "judge the old")
        )
        self._train(corrections, replay if has_replay else None)
        tuned = load_checkpoint(job.work / "tuned.safetensors")
        new, decision, blend = self._best_blend(tuned, corrections, old)
        manifest = self._manifest(blend.checkpoint, corrections, old, new, decision)
        save_checkpoint(blend.checkpoint, job.out, bits=16)
        from mfp_model.fine_tuning.report import write_report  # matplotlib

        write_report(
            job.report,
            manifest=manifest,
            old=(old, self._old_segmenter()),
            new=(new, blend.segmenter),
            held_out=corrections.held_out,
            validation_log=job.work / "tuned.validation.csv",
        )
        write_atomically(job.manifest, json.dumps(manifest, indent=1).encode())
        return decision

    def _begin_anew_if_changed(self, corrections: Corrections) -> None:
        """Drop what an earlier try left that had other data, weights or options."""
        job = self._job
        weights = [self._base.identity, self._served.identity]
        options = [str(job.replay), job.n_samples, corrections.summary["digest"]]
        key, path = json.dumps([*weights, job.version, *options]), job.work / "key.json"
        if path.exists() and path.read_text() != key:
            for left in (*job.work.glob("tuned.*"), *job.work.glob("judgement-*")):
                left.unlink()
            shutil.rmtree(job.work / "replay", ignore_errors=True)
        write_atomically(path, key.encode())

    def _tell(self, step: str, share: float) -> None:
        """Report, and stop where asked to; for all steps but training, which saves its state."""
        start = max((end for end in _STEPS.values() if end < _STEPS[step]), default=0.0)
        self._report(Progress(step=step, share=start + (_STEPS[step] - start) * min(1.0, share)))
        if self._should_stop() and step != "train":
            raise StoppedError(f"stopped during {step!r}")

    def _segmenter(self, checkpoint: Checkpoint) -> MfpSegmenter:
        return MfpSegmenter(checkpoint, device=self._job.device, engine=self._job.engine)

    def _judged(
        self,
        segmenter: Callable[[], MfpSegmenter],
        corrections: Corrections,
        name: str,
        report: ReportShare,
        *,
        with_general: bool = True,
    ) -> Judgement:
        """The scores of what `segmenter` makes, from an earlier try as far as it made them."""
        path = self._job.work / f"judgement-{name}.json"
        n_held_out = corrections.summary["held_out_objects"]
        n_objects = n_held_out + sum(len(image.objects) for image in read_coco(GENERAL_SET).images)
        if path.exists():
            judgement = Judgement.from_json(json.loads(path.read_text()))
        else:
            judgement = judge_corrections(
                segmenter(), corrections.held_out, report=lambda n_done: report(n_done / n_objects)
            )
            write_atomically(path, json.dumps(judgement.as_json()).encode())
        if with_general and judgement.general is None:
            general = judge_general(
                segmenter(), report=lambda n_done: report((n_held_out + n_done) / n_objects)
            )
            judgement = replace(judgement, general=general)
            write_atomically(path, json.dumps(judgement.as_json()).encode())
        return judgement

    def _train(self, corrections: Corrections, replay: Path | None) -> None:
        from mfp_model.training.train import train  # takes longer to load than all else

        training = training_of(self._job, self._base, corrections, replay)
        train(
            training,
            report=lambda step: self._tell("train", step["n_seen"] / training.config.n_samples),
            should_stop=self._should_stop,
            on_problem=lambda problem: None,  # told at the start
        )
        if self._should_stop():
            raise StoppedError("stopped during training")

    def _best_blend(
        self, tuned: Checkpoint, corrections: Corrections, old: Judgement
    ) -> tuple[Judgement, Verdict, _Blend]:
        """The blend that is tried last is the one that is taken, see `best_blend`."""
        blend, n_before = self._blend(tuned, BLENDS[0]), 0

        def judged(share: float, with_general: bool) -> Judgement:
            nonlocal blend, n_before
            if share != blend.share:
                blend, n_before = self._blend(tuned, share), n_before + 1
            return self._judged(
                lambda: blend.segmenter,
                corrections,
                f"blend-{share:g}",
                lambda done: self._tell("judge the new", (n_before + done) / (len(BLENDS) + 1)),
                with_general=with_general,
            )

        _, new, decision = best_blend(BLENDS, judged, old)
        return new, decision, blend

    def _blend(self, tuned: Checkpoint, share: float) -> _Blend:
        def make() -> Checkpoint:
            path = self._job.work / f"tuned.{share:g}.safetensors"
            save_checkpoint(blended(self._base, tuned, share), path, bits=16)
            return load_checkpoint(path)  # what is judged is what will be served

        return _Blend(share, make, self._segmenter)

    def _manifest(
        self,
        checkpoint: Checkpoint,
        corrections: Corrections,
        old: Judgement,
        new: Judgement,
        decision: Verdict,
    ) -> dict[str, Any]:
        return {
            "version": checkpoint.version,
            "base": self._base.version,
            "compared_with": self._served.version,
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            "passes": decision.passes,
            "reason": decision.reason,
            "sentence": decision.sentence,
            "share_of_tuned_weights": checkpoint.origin["share_of_tuned_weights"],
            "data": dict(corrections.summary),
            "scores": {"old": old.as_json(), "new": new.as_json()},
            "training": checkpoint.origin.get("training"),
        }
