"""Actions, mouse way and seconds of each way to a mask in the real page, by check and Auto-Accept.

    python -m tests.benchmarks.flows_in_page [LABEL_STUDIO_URL BACKEND_URL]

Needs Chromium and `.venv-label-studio`, which `make test` builds. The seconds are those of a
program that neither thinks nor takes time to move the mouse: of the page, Label Studio and the
backend.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from itertools import product

from tests.benchmarks.page_flows import FLOWS, Hand, PageFlow, Place, running_place
from tests.e2e.flows import CAT
from tests.e2e.labeling_page import LabelingPage

_N_TIMES = 3
_SETTLED_MS = 300
_SHIFT = 0.11


def _measured(
    place: Place,
    tab: LabelingPage,
    flow: PageFlow,
    *,
    is_auto: bool,
    polygons: bool,
    shift: float,
) -> dict[str, object]:
    place.open(tab, flow, is_auto=is_auto, polygons=polygons)
    seconds, hand = [], Hand(tab=tab, is_auto=is_auto)
    n_masks = 0
    for index in range(1 if flow.is_tray else _N_TIMES + 1):
        x, y = CAT[0] + index, CAT[1] + shift  # no click is one that was answered
        for _ in range(flow.n_before):
            tab.click(x, y)
            if not is_auto:
                tab.accept()
        hand = Hand(tab=tab, is_auto=is_auto, at=tab.place(x, y))
        tab.page.wait_for_timeout(_SETTLED_MS)
        started = time.perf_counter()
        flow.run(hand, x, y)
        if index or flow.is_tray:  # the first one warms up
            seconds.append(time.perf_counter() - started)
        hand.return_to(x, y)
        n_masks = len(tab.masks())
        tab.store("a.deleteAllRegions()")
        tab.page.wait_for_timeout(_SETTLED_MS)
    return {
        "flow": flow.name,
        "masks": "polygons" if polygons else "brush",
        "accepted": "Auto-Accept" if is_auto else "check",
        "actions": hand.n_actions,
        "mouse_px": round(hand.way_px),
        "median_s": round(statistics.median(seconds), 2),
        "n_masks": n_masks,
    }


def main(urls: list[str]) -> None:
    """Print a line for each flow, kind of mask and way to accept."""
    with running_place(urls) as place:
        tab = place.logged_in()
        ways = product(FLOWS, (False, True), (False, True))
        for number, (flow, polygons, is_auto) in enumerate(ways):
            entry = _measured(
                place,
                tab,
                flow,
                is_auto=is_auto,
                polygons=polygons,
                shift=_SHIFT * number,
            )
            print(json.dumps(entry), flush=True)
        tab.close()


if __name__ == "__main__":
    main(sys.argv[1:])
