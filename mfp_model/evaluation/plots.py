"""Plots of evaluations: several runs in one picture, and sweeps of a constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from mfp_model.drawing import figure_png
from mfp_model.errors import DataError
from mfp_model.evaluation.tuning import Tuning


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One evaluation in a picture: its name, mean IoU after 1, 2, ... clicks, and the AUC."""

    name: str
    miou_at: tuple[float, ...]
    auc: float

    @staticmethod
    def from_report(report: Mapping[str, Any], *, name: str) -> Curve:
        """Return the curve of a report of `mfp evaluate clicks`.

        Raises:
            DataError: It is no such report.
        """
        try:
            miou_at = tuple(float(value) for value in report["miou_at"])
            return Curve(name=name, miou_at=miou_at, auc=float(report["auc"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{name}: expected a report of mfp evaluate clicks, got {error!r:.200}"
            ) from None


def plot_curves(curves: Sequence[Curve]) -> bytes:
    """Return a PNG picture of the curves, the AUC of each in the legend."""
    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        clicks = range(1, len(curve.miou_at) + 1)
        axes.plot(
            clicks, curve.miou_at, marker="o", markersize=3, label=f"{curve.name} ({curve.auc:.3f})"
        )
    axes.set(xlabel="clicks", ylabel="mean IoU", ylim=(None, 1.0), xticks=range(1, 21))
    axes.grid(alpha=0.3)
    axes.legend(title="segmenter (AUC)", loc="lower right")
    return figure_png(figure)


def plot_sweeps(tunings: Mapping[str, Tuning]) -> bytes:
    """Return a PNG picture of scores against smoothness, one panel for each features' name."""
    figure = Figure(figsize=(4.5 * len(tunings), 3.8), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(tunings), squeeze=False, sharey=True)[0]
    for axes, (name, tuning) in zip(panels, tunings.items(), strict=True):
        values = list(tuning.sweep)
        folds = list(zip(*tuning.sweep_by_fold.values(), strict=True))
        for fold in folds:
            axes.plot(values, fold, color="tab:grey", linewidth=0.8, alpha=0.6)
        axes.plot(values, list(tuning.sweep.values()), marker="o", label="all objects")
        axes.axvline(tuning.config.smoothness, color="tab:red", linestyle="--", label="chosen")
        axes.set(title=name, xlabel="smoothness λ", xscale="log")
        axes.set_xticks(values, [f"{value:g}" for value in values])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("mean IoU over 5 clicks (grey: folds)")
    panels[-1].legend()
    return figure_png(figure)


def plot_confusion(shares: Mapping[str, float], *, title: str) -> bytes:
    """Return a PNG picture of a confusion matrix as `Scores.confusion` has it."""
    figure = Figure(figsize=(4.2, 3.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    kinds = ("object", "background")
    table = [[shares[f"{truth}_{mask}"] for mask in kinds] for truth in kinds]
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1)
    for row, values in enumerate(table):
        for column, value in enumerate(values):
            colour = "white" if value > 0.5 else "black"
            axes.text(column, row, f"{value:.1%}", ha="center", va="center", color=colour)
    axes.set(xlabel="mask", ylabel="truth", title=title)
    axes.set_xticks(range(2), kinds)
    axes.set_yticks(range(2), kinds, rotation=90, va="center")
    return figure_png(figure)
