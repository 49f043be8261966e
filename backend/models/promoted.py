"""What serves, as the registry has it: followed while it changes, is damaged, or is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping

from backend.models.registry import ModelRegistry
from backend.models.serving import RegistryAwayError, Serving

_log = logging.getLogger(__name__)
_AGAIN_S = 30.0  # after which a damaged version is tried again: somebody may have mended it
_History = tuple[str, ...]


class PromotedVersions:
    """Knows the versions that serve; each is prepared before it takes over.

    A damaged one is passed over, and tried again now and then: the one before it in its history
    serves, at last the default. One that is away is no reason to answer with another: what served
    before goes on, and where nothing is known of that, as after a start, it is said.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        *,
        prepare: Callable[[str], str],
        on_failure: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing yet.

        Args:
            registry: Versions, and which of them serve.
            prepare: Makes a version of the registry ready to answer, and returns its model version.
            on_failure: Told once why a version, or what serves, cannot be had.
            clock: Seconds.
        """
        self._registry = registry
        self._prepare = prepare
        self._on_failure = on_failure
        self._clock = clock
        self._taken: tuple[Hashable] | None = None  # the stamp of what was taken over
        self._passed_over: set[str] = set()  # why others were not
        self._again_at = 0.0  # when these are tried again
        self._reported: set[str] = set()
        self._looking = threading.Lock()
        self._guard = threading.Lock()  # of the next two
        self._serving: Serving | None = None
        self._model_versions: Mapping[str, str] = {}  # by name

    @property
    def are_known(self) -> bool:
        """Whether it was read which versions serve."""
        with self._guard:
            return self._serving is not None

    @property
    def taken(self) -> Serving:
        """What was taken over, without versions that cannot be had just now."""
        with self._guard:
            histories = self._serving.histories if self._serving is not None else {}
            model_versions = self._model_versions
        return Serving(
            {
                scope: past
                for scope, past in histories.items()
                if past and past[-1] in model_versions
            }
        )

    def version(self, project: str) -> str | None:
        """Return the model version that serves a project, None for the default.

        Raises:
            RegistryAwayError: It cannot be had just now, or is not known.
        """
        with self._guard:
            if self._serving is None:
                raise RegistryAwayError("which versions serve could not be read yet")
            name = self._serving.version(project)
            if name is None:
                return None
            if name not in self._model_versions:
                raise RegistryAwayError(f"version {name} serves, and cannot be had just now")
            return self._model_versions[name]

    def look(self, *, again: bool = False) -> None:
        """Take over what was promoted or rolled back; what cannot be had is tried again.

        Args:
            again: Prepare also what was taken over before.
        """
        with self._looking:
            if again:
                self._taken = None
            self._look()

    def _look(self) -> None:
        problems: list[Exception] = []
        try:
            stamp = (self._registry.stamp(),)
            is_due = bool(self._passed_over) and self._clock() >= self._again_at
            if stamp != self._taken or is_due:
                problems = self._take(self._registry.serving())
                self._passed_over = {str(problem) for problem in problems}
                self._again_at = self._clock() + _AGAIN_S
                is_away = any(isinstance(problem, RegistryAwayError) for problem in problems)
                self._taken = None if is_away else stamp
        except Exception as error:  # whoever looks every second must go on
            problems.append(error)
            if self._serving is None and not isinstance(error, RegistryAwayError):
                self._take(Serving({}))
        for problem in problems:
            if str(problem) not in self._reported:
                self._on_failure(problem)
        self._reported = self._passed_over | {str(problem) for problem in problems}

    def _take(self, serving: Serving) -> list[Exception]:
        """Take over what can be had, and return why the rest cannot."""
        model_versions: dict[str, str] = {}
        failed: dict[str, Exception] = {}

        def failure_of(name: str) -> Exception | None:
            if name not in model_versions and name not in failed:
                try:
                    model_versions[name] = self._prepare(name)
                except Exception as error:
                    failed[name] = error
            return failed.get(name)

        histories = {
            scope: self._usable(scope, history, failure_of)
            for scope, history in serving.histories.items()
        }
        taken = Serving(histories)
        if taken != self._serving:
            _log.info("versions that serve: %s", histories)
        with self._guard:
            self._model_versions = {**self._model_versions, **model_versions}
            self._serving = taken
        return [*failed.values()]

    def _usable(
        self, scope: str, history: _History, failure_of: Callable[[str], Exception | None]
    ) -> _History:
        while history and (failure := failure_of(history[-1])) is not None:
            if isinstance(failure, RegistryAwayError):
                before = self._serving
                return history if before is None else before.histories.get(scope, ())
            history = history[:-1]
        return history
