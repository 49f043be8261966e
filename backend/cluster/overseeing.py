"""`mfp replicas`: starts the replicas or joins those that serve, and tells how they are.

`mfp serve --ray` starts it; it ends with its parent. A Ray that it started ends with it. One that
it was given goes on, with its replicas, for the other fronts.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from backend.cluster.connecting import connect
from backend.cluster.handshake import differing
from backend.cluster.messages import ClusterError
from backend.cluster.places import Plan
from backend.cluster.register import SharedRegister
from backend.cluster.replicas_state import ReplicasState
from backend.settings import Settings
from mfp_model.errors import MfpError

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.5
_AGAIN_S = 3.0  # a Ray that may still be starting
_GROW_EVERY_S = 10.0
_ASK_S = 60.0


class Overseer:
    """One front's eye on the replicas."""

    def __init__(self, settings: Settings, shared_dir: Path, address: str, n_replicas: int) -> None:
        """Prepare.

        Args:
            settings: What replicas compute with.
            shared_dir: Where the front's workers read how they are.
            address: Ray's; empty to start one on this machine.
            n_replicas: How many; 0 for as many as there is room for.
        """
        self._plan = Plan.of(settings, address, n_replicas)
        self._shared_dir = shared_dir
        self._address = address
        self._state = ReplicasState()
        self._is_of_mine = False  # what serves has this front's settings
        self._n_room = 0  # for replicas, when that was looked at last
        self._failure = ""
        self._refusal = ""

    def run(self, parent: int) -> None:
        """Start or join them, and tell how they are until the parent ends.

        Args:
            parent: The process that started this one; it may have ended already.

        Raises:
            ClusterError: They cannot be started, or serve other settings.
        """
        try:
            address = self._connected()
            signal.signal(signal.SIGTERM, _end)  # Ray has set its own
            self._state = ReplicasState(address=address)
            threading.Thread(target=self._begin, daemon=True).start()
            while os.getppid() == parent:
                self._look()
                time.sleep(_LOOK_EVERY_S)
        except MfpError as error:
            self._tell(ReplicasState(phase="failed", message=str(error)))
            raise

    def _connected(self) -> str:
        """Ray's address."""
        while True:
            try:
                return connect(self._address, n_cpus=self._plan.n_cpus)
            except ClusterError as error:
                if not self._address:
                    raise
                self._tell(ReplicasState(message=str(error)))
                time.sleep(_AGAIN_S)

    def _begin(self) -> None:
        """Join the replicas that serve, or start some; one front of several does that."""
        from ray.exceptions import RayError

        from backend.cluster.deployment import deploy

        me, register = f"{socket.gethostname()} {os.getpid()}", SharedRegister()
        try:
            while not (n_there := self._n_there()) and not register.may_start(me):
                time.sleep(_LOOK_EVERY_S)
            self._is_of_mine = True
            self._n_room, has_gpus = self._plan.places()
            if not n_there or self._plan.n_replicas not in (0, n_there):
                self._state = replace(self._state, n_wanted=self._n_room)
                deploy(self._plan.settings, n_replicas=self._n_room, has_gpus=has_gpus)
            while self._plan.n_replicas == 0:
                time.sleep(_GROW_EVERY_S)
                self._grow(lambda: register.may_start(me))
        except ClusterError as error:
            self._refusal = str(error)
        except (MfpError, RuntimeError, RayError) as error:
            self._failure = str(error) or type(error).__name__
        except Exception as error:
            _log.exception("replicas cannot be started")
            self._failure = f"{type(error).__name__}: {error}"

    def _grow(self, may_start: Callable[[], bool]) -> None:
        """Start further replicas where machines have come; one front of several does that."""
        from backend.cluster.deployment import deploy

        before = self._n_room
        self._n_room, has_gpus = self._plan.places()
        if self._n_room > max(before, self._state.n_wanted) and may_start():
            deploy(self._plan.settings, n_replicas=self._n_room, has_gpus=has_gpus)

    def _n_there(self) -> int:
        """How many replicas are to serve already, 0 where none were started.

        Raises:
            ClusterError: They serve other settings.
        """
        from ray import serve

        from backend.cluster.deployment import APPLICATION, DEPLOYMENT, wants

        application = serve.status().applications.get(APPLICATION)
        if application is None or DEPLOYMENT not in application.deployments:
            return 0
        handle = serve.get_app_handle(APPLICATION)
        try:
            theirs = handle.wants.remote().result(timeout_s=_ASK_S)
        except TimeoutError as error:
            raise ClusterError(f"none of the replicas answers in {_ASK_S:g} s") from error
        check_wanted(wants(self._plan.settings), theirs)
        return sum(application.deployments[DEPLOYMENT].replica_states.values())

    def _look(self) -> None:
        """Tell how they are, where that has changed."""
        from ray import serve
        from ray.exceptions import RayError

        from backend.cluster.deployment import APPLICATION, DEPLOYMENT

        if self._refusal:
            raise ClusterError(self._refusal)
        try:
            application = serve.status().applications.get(APPLICATION)
        except RayError as error:
            raise ClusterError(f"how the replicas are cannot be asked: {error}") from error
        deployment = application.deployments.get(DEPLOYMENT) if application else None
        by_state = deployment.replica_states if deployment else {}
        states = {str(getattr(name, "value", name)): n for name, n in by_state.items()}
        n_running = states.get("RUNNING", 0) if self._is_of_mine else 0
        cause = _cause(deployment.message) if deployment else ""
        if self._failure and not n_running:
            raise ClusterError(cause or self._failure)
        n_wanted = sum(states.values()) - states.get("STOPPING", 0)
        if deployment is None or deployment.status != "HEALTHY":  # one may be left out
            n_wanted = max(self._state.n_wanted, n_wanted)
        self._tell(
            replace(
                self._state,
                phase="serving" if n_running else self._state.phase,
                n_running=n_running,
                n_wanted=n_wanted,
                message=cause if n_running < n_wanted else "",
            )
        )

    def _tell(self, state: ReplicasState) -> None:
        if state == self._state and state.is_written(self._shared_dir):
            return
        if state.message and state.message != self._state.message:
            _log.error("replicas: %s", state.message)
        if state.n_running != self._state.n_running:
            _log.info("%d of %d replicas serve", state.n_running, state.n_wanted)
        self._state = state
        try:
            state.write(self._shared_dir)
        except OSError as error:
            _log.warning("how the replicas are cannot be told: %s", error)


def check_wanted(mine: Mapping[str, str], theirs: Mapping[str, str]) -> None:
    """Refuse a front whose settings are not those of the replicas that serve.

    Raises:
        ClusterError: They differ; the message says in what.
    """
    differences = [
        f"{name} is {mine.get(name)!r} here and {theirs.get(name)!r} there"
        for name in differing(mine, theirs)
    ]
    if differences:
        raise ClusterError(f"the replicas serve other settings: {'; '.join(differences)}")


def _cause(message: str) -> str:
    """The line of a replica's traceback that says why it does not serve."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    ours = [line for line in lines if "Error: " in line]
    return (ours or [""])[-1][:500]


def _end(*_: object) -> None:
    raise SystemExit(0)
