"""Every error that can be shown comes with what to do about it."""

from collections.abc import Iterator

from backend.server import routes
from backend.server.status_page import _ADVICE
from mfp_model.errors import MfpError

_NEVER_SHOWN = {
    "RefusedError",  # only its kinds are raised
    "UsageError",  # of commands
    "SupersededError",  # a newer click, counted apart
    "ServerError",  # of the demo
    "ImageTooLargeError",  # told as ImageError, with the setting's name
    "LabelStudioRefusedError",  # of commands
    "StoppedError",  # of a fine-tuning's process
}


def _kinds(kind: type[Exception]) -> Iterator[str]:
    for subclass in kind.__subclasses__():
        yield subclass.__name__
        yield from _kinds(subclass)


def test_no_error_of_our_own_is_called_a_bug() -> None:
    assert routes.add_routes  # all that can fail is imported
    assert set(_kinds(MfpError)) - _NEVER_SHOWN <= set(_ADVICE)
