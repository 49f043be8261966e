"""Asks the replicas over Ray, and asks again where one was lost in the middle of an answer."""

from __future__ import annotations

import logging
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.cluster.messages import (
    ClusterError,
    Facts,
    Missing,
    OutOfDate,
    Picture,
    Round,
    Which,
    first_line,
    packed,
)
from backend.cluster.remote import Check, Replicas
from backend.cluster.replicas_state import ReplicasState, read_replicas
from mfp_model.errors import MfpError
from mfp_model.prediction import Prediction

_log = logging.getLogger(__name__)
_MAX_WAIT_S = 85.0  # Label Studio gives up after 100
_PAUSE_S = 0.2
_ONE_TRY_S = 40.0  # after which its replica is taken for lost


class RayReplicas(Replicas):
    """Replicas behind a handle of Ray Serve; it connects when it is first asked."""

    def __init__(self, shared_dir: Path) -> None:
        """Prepare.

        Args:
            shared_dir: Where the process that looks after the replicas tells how they are.
        """
        self._shared_dir = shared_dir
        self._guard = threading.Lock()
        self._handle: Any = None

    def facts(self, which: Which) -> Facts:
        """Return what there is to know of a segmenter."""
        facts = self._answer(f"{which.name} {which.checkpoint}", "facts", which)
        assert isinstance(facts, Facts)
        return facts

    def next_round(self, asked: Round, check: Check) -> Prediction | Missing | OutOfDate:
        """Return the prediction that follows, or why there is none."""
        answer = self._answer(asked.session, "next_round", packed(asked), check=check)
        assert isinstance(answer, Prediction | Missing | OutOfDate)
        return answer

    def appearance(
        self, session: str, which: Which, picture: Picture
    ) -> NDArray[np.float32] | Missing:
        """Return what an image looks like, or what is missing."""
        answer = self._answer(session, "appearance", which, packed(picture))
        assert isinstance(answer, np.ndarray | Missing)
        return answer

    def _answer(
        self, session: str, method: str, *content: object, check: Check = lambda: None
    ) -> object:
        """What a replica answers; a round is a pure function, so it may be asked for again."""
        handle = self._connected().options(session_id=session)
        from grpc.aio import AioRpcError
        from ray.exceptions import RayError, RayTaskError
        from ray.serve.exceptions import RayServeException

        until = time.monotonic() + _MAX_WAIT_S
        while True:
            asked = getattr(handle, method).remote(*content)
            try:
                left_s = max(_PAUSE_S, min(_ONE_TRY_S, until - time.monotonic()))
                answer: object = pickle.loads(asked.result(timeout_s=left_s))
                break
            except RayTaskError as error:  # a fault of the replica's code
                raise ClusterError(f"a replica failed: {first_line(error)}") from error
            except AioRpcError as error:
                raise ClusterError(f"a replica cannot be asked: {error.details()}") from error
            except (RayError, RayServeException, TimeoutError) as error:
                asked.cancel()
                if time.monotonic() + _PAUSE_S > until:
                    raise ClusterError(f"no replica answers: {first_line(error)}") from error
                _log.warning("a replica is asked again: %s", first_line(error))
                check()
                time.sleep(_PAUSE_S)
        if isinstance(answer, MfpError):
            raise answer
        return answer

    def _connected(self) -> Any:  # noqa: ANN401, Ray's handle
        with self._guard:
            if self._handle is None:
                self._handle = _handle(self._address())
            return self._handle

    def _address(self) -> str:
        """Ray's address, once replicas serve."""
        while True:
            state = read_replicas(self._shared_dir) or ReplicasState()
            if state.phase == "failed":
                raise ClusterError(state.message)
            if state.phase == "serving":
                return state.address
            time.sleep(_PAUSE_S)


def _handle(address: str) -> Any:  # noqa: ANN401, Ray's
    from backend.cluster.connecting import connect
    from backend.cluster.deployment import APPLICATION

    connect(address)
    from ray import serve

    return serve.get_app_handle(APPLICATION)
