"""The status page's two charts: clicks a minute, and how long people waited."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from backend.monitoring.journal import Minute

MINUTE_WIDTH = 10  # in a chart's own units
HEIGHT = 60
_STEPS_MS = tuple(step * 10**power for power in range(6) for step in (1, 2, 5))
_N_TICKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A line across a chart.

    Attributes:
        text: What stands at it.
        y: From the chart's top, in its own units.
    """

    text: str
    y: float

    @property
    def percent(self) -> float:
        """From the chart's top, of its height."""
        return 100 * self.y / HEIGHT


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What stands for a minute: x, top and height, in the chart's own units."""

    x: float
    top: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart.

    Attributes:
        ticks: Its lines, lowest first.
        bars: Its first series.
        marks: Its second series; it may be empty.
    """

    ticks: Sequence[Tick]
    bars: Sequence[Bar]
    marks: Sequence[Bar] = ()


def clicks_chart(minutes: Sequence[Minute]) -> Chart | None:
    """Return the clicks of each minute, None where there were none."""
    most = max((minute.n_clicks for minute in minutes), default=0)
    if not most:
        return None
    top = _rounded_up(most)
    scale = HEIGHT / top
    values = sorted({0, top // 2, top} if top % 2 == 0 else {0, top})
    return Chart(
        ticks=[Tick(text=str(value), y=HEIGHT - value * scale) for value in values],
        bars=[
            Bar(x=MINUTE_WIDTH * i, top=HEIGHT - n * scale, height=n * scale)
            for i, n in enumerate(minute.n_clicks for minute in minutes)
            if n
        ],
    )


def times_chart(minutes: Sequence[Minute]) -> Chart | None:
    """Return the milliseconds of each minute's clicks, logarithmic; None where there were none.

    Bars reach from the median to what 95 % stayed below; marks are the medians.
    """
    busy = [minute for minute in minutes if minute.n_clicks]
    if not busy:
        return None
    fastest = max(1.0, min(minute.median_ms for minute in busy))
    slowest = max(fastest, *(minute.p95_ms for minute in busy))
    low = max((step for step in _STEPS_MS if step <= fastest), default=_STEPS_MS[0])
    high = min((step for step in _STEPS_MS if step >= slowest and step > low), default=slowest)
    scale = HEIGHT / math.log(high / low)

    def y(value_ms: float) -> float:
        return HEIGHT - math.log(max(value_ms, low) / low) * scale

    steps = [step for step in _STEPS_MS if low <= step <= high]
    steps = steps[:: math.ceil(len(steps) / _N_TICKS)]
    bars, marks = [], []
    for i, minute in enumerate(minutes):
        if minute.n_clicks:
            top, middle = y(minute.p95_ms), y(minute.median_ms)
            bars.append(Bar(x=MINUTE_WIDTH * i, top=top, height=max(0.5, middle - top)))
            marks.append(Bar(x=MINUTE_WIDTH * i, top=middle - 1, height=2))
    return Chart(
        ticks=[Tick(text=_milliseconds(step), y=y(step)) for step in steps],
        bars=bars,
        marks=marks,
    )


def _rounded_up(value: int) -> int:
    """The next number with one digit that is not 0, and even where it can be."""
    power = 1
    while 8 * power < value:
        power *= 10
    return next(step * power for step in (1, 2, 4, 6, 8) if step * power >= value)


def _milliseconds(value: float) -> str:
    return f"{value:g} ms" if value < 1000 else f"{value / 1000:g} s"
