"""Plots of evaluations: mean IoU against clicks, several runs in one picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mfp_model.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One evaluation in a picture: its name, mean IoU after 1, 2, ... clicks, and the AUC."""

    name: str
    miou_at: tuple[float, ...]
    auc: float

    @staticmethod
    def from_report(report: Mapping[str, Any], *, name: str) -> Curve:
        """Return the curve of a report of `mfp evaluate`.

        Raises:
            DataError: It is no such report.
        """
        try:
            miou_at = tuple(float(value) for value in report["miou_at"])
            return Curve(name=name, miou_at=miou_at, auc=float(report["auc"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{name}: expected a report of mfp evaluate, got {error!r}") from None


def plot_curves(curves: Sequence[Curve]) -> bytes:
    """Return a PNG picture of the curves, the AUC of each in the legend."""
    figure = Figure(figsize=(7, 4.5), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for curve in curves:
        clicks = range(1, len(curve.miou_at) + 1)
        axes.plot(
            clicks, curve.miou_at, marker="o", markersize=3, label=f"{curve.name} ({curve.auc:.3f})"
        )
    axes.set(xlabel="clicks", ylabel="mean IoU", ylim=(None, 1.0), xticks=range(1, 21))
    axes.grid(alpha=0.3)
    axes.legend(title="segmenter (AUC)", loc="lower right")
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()
