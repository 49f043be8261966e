"""Rectangles of the image that the network looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rectangle of whole pixels that the network looks at, in the image frame.

    Right and bottom are exclusive. It may reach over the image's border, where the network sees
    the image mirrored.
    """

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns in the window."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows in the window."""
        return self.bottom - self.top

    def covers(self, other: Window) -> bool:
        """Return whether no pixel of the other window lies outside this one."""
        starts = self.left <= other.left and self.top <= other.top
        return starts and self.right >= other.right and self.bottom >= other.bottom


def whole(height: int, width: int) -> Window:
    """Return the window of a whole image."""
    return Window(left=0, top=0, right=width, bottom=height)
