"""The supplement's tables: the same evaluation with one constant of the modulation changed."""

from __future__ import annotations

from collections.abc import Mapping

from mfp_model.evaluation.scores import Scores
from mfp_model.networks.modulation import ModulationConfig

# The rows, in the supplement's order. There each was trained with its constants; here one
# checkpoint is run with all of them, which tells how much it minds, not which is best to train.
VARIANTS: dict[str, ModulationConfig] = {
    "N=5": ModulationConfig(n_early_clicks=5),
    "default: N=7, R_max=100, probability distance, f3": ModulationConfig(),
    "N=9": ModulationConfig(n_early_clicks=9),
    "R_max=75": ModulationConfig(max_radius=75.0),
    "R_max=125": ModulationConfig(max_radius=125.0),
    "RGB distance": ModulationConfig(distance="rgb"),
    "f1 (linear)": ModulationConfig(curve="linear"),
    "f2 (bounded)": ModulationConfig(curve="bounded"),
}


def as_table(rows: Mapping[str, Scores]) -> str:
    """Return scores by variant as a Markdown table: NoC@85, NoC@90, NoC@95, AUC."""
    lines = ["| variant | NoC@85 | NoC@90 | NoC@95 | AUC |", "|---|---|---|---|---|"]
    for name, scores in rows.items():
        noc = " | ".join(f"{scores.noc[key]:.2f}" for key in ("0.85", "0.90", "0.95"))
        lines.append(f"| {name} | {noc} | {scores.auc:.3f} |")
    return "\n".join(lines)
