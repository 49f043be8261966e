"""The soak itself, for some seconds."""

from __future__ import annotations

from backend.bench.soak import soak
from backend.bench.soak_plot import plot_soak


def test_a_short_soak_answers_every_click_and_draws_its_memory() -> None:
    shares: list[float] = []
    report = soak(minutes=0.2, n_annotators=3, n_workers=1, report=shares.append)
    figures = report.figures()
    assert figures["n_clicks"] > 0
    assert (figures["n_empty"], figures["n_failed"]) == (0, 0)
    assert 100 < figures["memory_mb_highest"] < 6000
    assert shares == sorted(shares)
    assert plot_soak(report).startswith(b"\x89PNG")
