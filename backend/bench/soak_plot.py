"""The picture of a soak: memory and the time of each click."""

from __future__ import annotations

from matplotlib.figure import Figure

from backend.bench.soak import Soak
from mfp_model.drawing import figure_png


def plot_soak(soak: Soak) -> bytes:
    """Return a PNG file's content: memory above, clicks below, over the same minutes."""
    figure = Figure(figsize=(9, 5), dpi=110, layout="constrained")
    memory, clicks = figure.subplots(2, 1, sharex=True)
    memory.plot([at / 60 for at in soak.seconds], soak.memory_mb, color="tab:blue")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("resident memory, MB")
    clicks.scatter([at / 60 for at in soak.click_s], soak.click_ms, s=3, color="tab:gray")
    clicks.set_yscale("log")
    clicks.set_ylabel("click to mask, ms")
    clicks.set_xlabel("minutes")
    figures = soak.figures()
    memory.set_title(
        f"{figures['n_clicks']} clicks, {figures['n_empty']} empty, {figures['n_failed']} failed; "
        f"median {figures['median_ms']:.0f} ms"
    )
    return figure_png(figure)
