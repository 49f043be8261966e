"""What goes wrong with what is kept."""

from __future__ import annotations

from mfp_model.errors import MfpError


class StorageError(MfpError):
    """A database that cannot be read or written just now: locked, full, damaged or away."""
