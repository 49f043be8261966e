"""What a cluster knows once: how replicas compute, who starts them, and the numbers of clicks."""

from __future__ import annotations

import logging
import time
from typing import Any

from backend.cluster.handshake import Likeness

_log = logging.getLogger(__name__)
_NAME = _NAMESPACE = "mfp"
_ASK_S = 10.0
_NUMBER_S = 1.0
_LEASE_S = 180.0


class Register:
    """Held by one actor of the cluster; one that is started again has forgotten all."""

    def __init__(self) -> None:
        self._likenesses: dict[str, Likeness] = {}
        self._number = 0
        self._starter = ""
        self._starts_until = 0.0

    def agree(self, settings: str, likeness: Likeness) -> Likeness:
        """Return what the first replica of these settings computed with: this, if it is that."""
        return self._likenesses.setdefault(settings, likeness)

    def may_start(self, who: str) -> bool:
        """Return whether a front shall start the replicas: one, as long as it is at it."""
        now = time.monotonic()
        if who != self._starter and now < self._starts_until:
            return False
        self._starter, self._starts_until = who, now + _LEASE_S
        return True

    def next_number(self) -> int:
        """Return a number larger than those before, also than those of a register before."""
        self._number = max(self._number + 1, time.time_ns())
        return self._number


class SharedRegister:
    """The cluster's register as a process asks for it; it is made where there is none."""

    def __init__(self) -> None:
        self._actor: Any = None
        self._is_away = False

    def agree(self, settings: str, likeness: Likeness) -> Likeness:
        """Return what all replicas compute with; what this one does where nobody can be asked."""
        from ray.exceptions import RayError

        try:
            agreed: Likeness = self._ask("agree", settings, likeness, wait_s=_ASK_S)
        except RayError as error:
            _log.warning("whether all replicas compute alike cannot be asked: %s", error)
            return likeness
        return agreed

    def may_start(self, who: str) -> bool:
        """Return whether a front shall start the replicas.

        Raises:
            RayError: Nobody can be asked.
        """
        return bool(self._ask("may_start", who, wait_s=_ASK_S))

    def next_number(self) -> int:
        """Return the next click's number; by this machine's clock where nobody can be asked."""
        import ray
        from ray.exceptions import RayError

        if not ray.is_initialized():  # else Ray connects by itself, and not as `connect` does
            return time.time_ns()
        try:
            number = int(self._ask("next_number", wait_s=_NUMBER_S))
        except RayError as error:
            if not self._is_away:
                _log.error("clicks are put in order by this machine's clock: %s", error)
            self._is_away = True
            return time.time_ns()
        self._is_away = False
        return number

    def _ask(self, method: str, *content: object, wait_s: float) -> Any:  # noqa: ANN401, Ray's
        import ray

        if self._actor is None:
            actor: Any = ray.remote(Register)
            self._actor = actor.options(
                name=_NAME,
                namespace=_NAMESPACE,
                get_if_exists=True,
                lifetime="detached",
                num_cpus=0,
                max_restarts=-1,
            ).remote()
        try:
            return ray.get(getattr(self._actor, method).remote(*content), timeout=wait_s)
        except ray.exceptions.RayError:
            self._actor = None
            raise
