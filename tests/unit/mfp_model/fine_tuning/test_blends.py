from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mfp_model.evaluation.recorded import RecordedScores
from mfp_model.evaluation.scores import Scores
from mfp_model.fine_tuning.blends import best_blend
from mfp_model.fine_tuning.gate import GENERAL_MARGIN, Judgement, Verdict, verdict

_SHARES = (1.0, 0.8, 0.6, 0.5)
_OLD_NOC = 5.0


def _scores(noc: float) -> Scores:
    return Scores(
        noc={"0.85": noc, "0.90": noc, "0.95": 20.0},
        nof={},
        miou_at=(0.5,) * 20,
        auc=0.5,
        spc_s=0.1,
        n_objects=3,
    )


def _judgement(corrections: float, general: float, iou: float | None = None) -> Judgement:
    recorded = iou and RecordedScores(
        miou_at=(iou,), final_iou=iou, reached={}, n_objects=3, n_clicks=3
    )
    return Judgement(
        version="v",
        corrections=_scores(corrections),
        general=_scores(general),
        recorded=recorded or None,
    )


class _Measured:
    """What would be measured of each share, and what was."""

    def __init__(self, whole: dict[float, Judgement]) -> None:
        self._whole = whole
        self.general_of: list[float] = []

    def judged(self, share: float, with_general: bool) -> Judgement:
        if with_general:
            if share not in self.general_of:
                self.general_of.append(share)
            return self._whole[share]
        return replace(self._whole[share], general=None)


def _by_measuring_all(
    whole: dict[float, Judgement], old: Judgement
) -> tuple[float, Judgement, Verdict]:
    verdicts = {share: verdict(new, old) for share, new in whole.items()}
    passing = [share for share in whole if verdicts[share].passes]
    share = passing[0] if passing else next(iter(whole))
    return share, whole[share], verdicts[share]


_NOC = st.sampled_from([_OLD_NOC - 1, _OLD_NOC - 0.01, _OLD_NOC, _OLD_NOC + 0.01, _OLD_NOC + 1])
_GENERAL = st.sampled_from(
    [_OLD_NOC, _OLD_NOC + GENERAL_MARGIN, _OLD_NOC + GENERAL_MARGIN + 0.01, _OLD_NOC + 2]
)
_RECORDED = st.sampled_from([None, 0.7, 0.794, 0.795, 0.796, 0.9])


@given(
    news=st.tuples(*[st.builds(_judgement, _NOC, _GENERAL, _RECORDED)] * len(_SHARES)),
    old=st.builds(_judgement, st.just(_OLD_NOC), st.just(_OLD_NOC), st.sampled_from([None, 0.8])),
)
def test_share_scores_and_verdict_are_those_of_measuring_everything(
    news: tuple[Judgement, ...], old: Judgement
) -> None:
    whole = dict(zip(_SHARES, news, strict=True))
    measured = _Measured(whole)
    assert best_blend(_SHARES, measured.judged, old) == _by_measuring_all(whole, old)


def test_the_general_set_is_measured_only_where_the_verdict_hangs_on_it() -> None:
    old = _judgement(5, 3)
    not_better, forgets, passes = _judgement(5, 3), _judgement(4, 9), _judgement(4, 3)
    for news, general_of in (
        ((not_better, not_better, not_better, not_better), [1.0]),
        ((forgets, not_better, passes, passes), [1.0, 0.6]),
        ((not_better, not_better, passes, not_better), [0.6]),
        ((not_better, forgets, not_better, not_better), [0.8, 1.0]),
        ((passes, passes, passes, passes), [1.0]),
    ):
        measured = _Measured(dict(zip(_SHARES, news, strict=True)))
        best_blend(_SHARES, measured.judged, old)
        assert measured.general_of == general_of


def test_a_verdict_that_hangs_on_the_general_set_needs_it() -> None:
    old = _judgement(5, 3)
    unmeasured = replace(_judgement(4, 3), general=None)
    with pytest.raises(ValueError, match="needs its scores: corrections 5.00 -> 4.00 clicks"):
        verdict(unmeasured, old)
    worse = verdict(replace(_judgement(6, 3), general=None), old)
    assert worse.reason == "not better: corrections 5.00 -> 6.00 clicks"
