"""Whether Label Studio can be asked, looked at when the server starts."""

from __future__ import annotations

import time

from backend.label_studio.access import LabelStudioAccess, LabelStudioUnreachableError
from backend.monitoring.telemetry import Telemetry
from mfp_model.errors import MfpError

_STARTS_S = 120.0
_LOOK_EVERY_S = 3.0


def check_label_studio(access: LabelStudioAccess, telemetry: Telemetry) -> None:
    """Say soon after the start, and not at the first click, what is wrong with these settings.

    Often both are started together, and Label Studio takes longer. So it is given some time.
    """
    until = time.monotonic() + _STARTS_S
    while True:
        try:
            return access.check()
        except MfpError as error:
            may_start = isinstance(error, LabelStudioUnreachableError)
            if not may_start or time.monotonic() > until:
                telemetry.failed(error, during="looking for Label Studio")
                return
        time.sleep(_LOOK_EVERY_S)
