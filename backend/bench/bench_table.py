"""The bench's figures for people: lines of text, and a picture of the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from matplotlib.figure import Figure

from backend.bench.clicks import KINDS
from mfp_model.drawing import figure_png

_N_LEGEND_COLUMNS = 4


def report_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a report of `bench`."""
    machine = figures["machine"]
    yield f"{machine['processor']}, {machine['n_threads']} threads, {machine['gpu'] or 'no GPU'}"
    if engine := figures.get("engine"):
        yield (
            f"engine {engine['engine']}: later click {engine['engine_later_ms']} ms, plain "
            f"{engine['plain_later_ms']} ms, {engine['later_ratio']}x; first "
            f"{engine['engine_first_ms']} ms, plain {engine['plain_first_ms']} ms, "
            f"{engine['first_ratio']}x; probabilities differ by {engine['difference']}"
        )
    for size, steps in figures["steps_ms"].items():
        parts = ", ".join(f"{name} {ms}" for name, ms in steps.items())
        yield f"steps at {size}, ms: {parts}; sum {sum(steps.values()):.1f}"
    for size, n_bytes in figures["state_bytes"].items():
        yield f"state of two clicks at {size}: {n_bytes} bytes"
    for size, times in figures.get("clicks", {}).items():
        kinds = ", ".join(
            f"{kind} {times[f'{kind}_median_ms']} ({times[f'{kind}_p95_ms']})" for kind in KINDS
        )
        yield f"server at {size}, ms, median (95 %): {kinds}; {times['n_failed']} failed"
    for entry in figures.get("flows", []):
        accepted = "Auto-Accept" if entry["mode"] == "auto" else "check"
        yield (
            f"{entry['flow']}, {accepted}: {entry['actions']} actions, {entry['median_ms']} ms, "
            f"{entry['masks']} masks; {entry['n_failed']} failed"
        )
    for name in ("annotators", "open_objects"):
        if name in figures:
            yield f"{name}: " + ", ".join(f"{key} {n}" for key, n in figures[name].items())
    if "server_memory_mb" in figures:
        yield f"server's memory at the end: {figures['server_memory_mb']} MB"


def plot_steps(figures: Mapping[str, Any]) -> bytes:
    """Return a PNG file's content: one bar for each size, cut into the steps of a later click.

    What the running server takes beside the steps is the bar's last part.
    """
    figure = Figure(
        figsize=(9, 1.6 + 0.7 * len(figures["steps_ms"])), dpi=110, layout="constrained"
    )
    axes = figure.subplots()
    sizes = list(figures["steps_ms"])
    names = list(figures["steps_ms"][sizes[0]])
    steps = {name: [figures["steps_ms"][size][name] for size in sizes] for name in names}
    if clicks := figures.get("clicks"):
        whole = [clicks[size]["next_median_ms"] for size in sizes]
        steps_sum_ms = [sum(figures["steps_ms"][size].values()) for size in sizes]
        rest = [max(0.0, a - b) for a, b in zip(whole, steps_sum_ms, strict=True)]
        steps["HTTP, parsing, waiting"] = rest
    left = [0.0] * len(sizes)
    colours = [f"C{index}" for index in range(10)] + ["0.3", "0.7"]
    for colour, (name, ms) in zip(colours, steps.items(), strict=False):
        axes.barh(sizes, ms, left=left, label=name, color=colour)
        left = [a + b for a, b in zip(left, ms, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("a later click, ms")
    figure.legend(loc="outside lower center", ncols=_N_LEGEND_COLUMNS, frameon=False)
    return figure_png(figure)
