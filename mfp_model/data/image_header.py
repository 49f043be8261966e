"""What an image file tells before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass

from mfp_model.data.exif import UPRIGHT
from mfp_model.data.orientation import SIDEWAYS
from mfp_model.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """What is known of an image before it is decoded.

    Attributes:
        stored_width: In pixels, as they lie in the file.
        stored_height: Likewise.
        orientation: 1 where pixels are shown as they lie, otherwise 2 to 8 as EXIF counts; see
            `mfp_model.data.exif`.
        is_upright: Every program shows the file as a browser does: nothing in it says that it is
            turned, whether browsers follow that or not.
        suffix: Of the file's format, with its dot.
    """

    stored_width: int
    stored_height: int
    orientation: int
    is_upright: bool
    suffix: str

    @property
    def width(self) -> int:
        """In pixels as a browser shows it."""
        return self.stored_height if self.orientation in SIDEWAYS else self.stored_width

    @property
    def height(self) -> int:
        """In pixels as a browser shows it."""
        return self.stored_width if self.orientation in SIDEWAYS else self.stored_height

    def turn_of(self, *, height: int, width: int, is_as_shown: bool = False) -> int:
        """Return how masks of a size are to be turned to lie on the photo as it is shown.

        Most tools draw on a file's pixels as they lie, so that is what a size means that fits
        both the pixels as they lie and as they are shown.

        Args:
            height: Of the masks.
            width: Of the masks.
            is_as_shown: Where both fit, they were drawn on what is shown.

        Returns:
            1, as they are, to 8, as EXIF counts.

        Raises:
            DataError: The size fits neither.
        """
        is_stored = (height, width) == (self.stored_height, self.stored_width)
        is_shown = (height, width) == (self.height, self.width)
        if not is_stored and not is_shown:
            raise DataError(
                f"masks of {width}x{height} pixels, the image file has {self.width}x{self.height}"
            )
        return UPRIGHT if is_shown and (is_as_shown or not is_stored) else self.orientation
