"""Whether Label Studio can be asked is told soon after the start."""

from __future__ import annotations

import pytest

from backend.label_studio.access import LabelStudioUnreachableError
from backend.server import label_studio_check as module


def test_label_studio_that_starts_later_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tries, failures = [], []

    class Access:
        def check(self) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise LabelStudioUnreachableError("not yet")

    class Telemetry:
        def failed(self, error: Exception, *, during: str) -> None:
            failures.append(error)

    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.0)
    module.check_label_studio(Access(), Telemetry())  # type: ignore[arg-type]
    assert (len(tries), failures) == (3, [])
    tries.clear()
    monkeypatch.setattr(module, "_STARTS_S", -1.0)
    module.check_label_studio(Access(), Telemetry())  # type: ignore[arg-type]
    assert len(failures) == 1
