"""The picture of a soak: memory and the time of each click."""

from __future__ import annotations

from matplotlib.figure import Figure

from backend.bench.soak import Soak
from mfp_model.drawing import figure_png


def plot_soak(found: Soak) -> bytes:
    """Return a PNG file's content: memory above, clicks below, over the same minutes."""
    figure = Figure(figsize=(9, 5), dpi=110, layout="constrained")
    memory, clicks = figure.subplots(2, 1, sharex=True)
    memory.plot([at / 60 for at in found.seconds], found.memory_mb, color="tab:blue")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("resident memory, MB")
    clicks.scatter([at / 60 for at in found.click_s], found.click_ms, s=3, color="tab:gray")
    clicks.set_yscale("log")
    clicks.set_ylabel("click to mask, ms")
    clicks.set_xlabel("minutes")
    told = found.told()
    memory.set_title(
        f"{told['n_clicks']} clicks, {told['n_empty']} empty, {told['n_failed']} failed; "
        f"median {told['median_ms']:.0f} ms"
    )
    return figure_png(figure)
