"""The one error tree. Every message says what, got, expected."""

from __future__ import annotations

from collections.abc import Collection


class MfpError(Exception):
    """Any failure this project raises on purpose."""


class PromptError(MfpError):
    """A prompt that cannot be used: outside the image, not finite, of a kind not understood."""


class ImageError(MfpError):
    """An image that cannot be used: wrong shape or type, unreadable, too large."""


class ConfigError(MfpError):
    """A configuration value outside its allowed range."""


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of those known.

    Raises:
        ConfigError: It is none.
    """
    if value not in choices:
        raise ConfigError(f"{name}={value!r}: expected one of {', '.join(choices)}")


class CheckpointError(MfpError):
    """A checkpoint that is missing, truncated, or not in a layout that is known."""


class DataError(MfpError):
    """A data folder that is missing something, or an annotation that cannot be read."""


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, or its type where it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
