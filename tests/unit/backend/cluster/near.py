"""Replicas in this process, which come and go as the test wants."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backend.cluster.handshake import Likeness
from backend.cluster.messages import Facts, Missing, OutOfDate, Picture, Round, Which
from backend.cluster.register import Register
from backend.cluster.remote import Check, Replicas
from backend.cluster.replica import Replica
from mfp_model.loading import dressed
from mfp_model.prediction import Prediction
from mfp_model.segmenter import Segmenter


def replica(
    load: Callable[[Which], Segmenter],
    agree: Callable[[Likeness], Likeness] | None = None,
    *,
    bytes_kept: int = 50_000_000,
) -> Replica:
    """A replica that agrees with itself."""
    return Replica(
        load,
        dressed,
        agree or (lambda likeness: likeness),
        images_bytes=bytes_kept,
        rounds_bytes=bytes_kept,
        models_bytes=bytes_kept,
    )


def agreeing(register: Register) -> Callable[[Likeness], Likeness]:
    return lambda likeness: register.agree("settings", likeness)


class NearReplicas(Replicas):
    """Asks the replica that the test names next, through bytes as over a network.

    Attributes:
        there: The replicas; the first answers.
        asked: All rounds that were asked for.
    """

    def __init__(self, *there: Replica) -> None:
        self.there = list(there)
        self.asked: list[Round] = []

    def facts(self, which: Which) -> Facts:
        return self.there[0].facts(which)

    def next_round(self, asked: Round, check: Check) -> Prediction | Missing | OutOfDate:
        check()
        self.asked.append(asked)
        answer = self.there[0].next_round(pickle.loads(pickle.dumps(asked)))
        received: Prediction | Missing | OutOfDate = pickle.loads(pickle.dumps(answer))
        return received

    def appearance(
        self, session: str, which: Which, picture: Picture
    ) -> NDArray[np.float32] | Missing:
        return self.there[0].appearance(which, pickle.loads(pickle.dumps(picture)))
