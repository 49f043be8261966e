"""One object being clicked, as a request tells of it."""

from __future__ import annotations

from dataclasses import dataclass

from backend.label_studio.controls import MaskControl
from backend.label_studio.label_config import LabelConfig
from backend.label_studio.page import Annotation, storable
from backend.label_studio.points import (
    Point,
    box_of,
    click_of,
    is_beside_selected,
    is_box,
    labels_of_point,
    size_of,
)
from backend.label_studio.strokes import seed_strokes
from mfp_model.prompts import Box, Click, Prompt, Stroke


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPrompt:
    """A click or a box on the page.

    Attributes:
        id: Label Studio's, kept while the object is being clicked.
        control: Name of the control that it was placed with.
        prompt: Where it is, in pixels of the displayed image.
        is_beside_selected: It was placed beside a mask that is selected on the page.
        is_open: The page sends it along with the object's next prompts.
    """

    id: str
    control: str
    prompt: Click | Box
    is_beside_selected: bool = False
    is_open: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionRequest:
    """One object being clicked.

    Attributes:
        placed: Clicks and boxes, oldest first.
        strokes: Seed strokes, which count before them.
        control: Control that the answer belongs to.
        labels: Labels of a new object; none where the control has none.
        named: Labels that the points themselves carry, as the control writes them.
        width: Image width in pixels as the page sees it.
        height: Image height in pixels as the page sees it.
        left_behind: Ids of points that the page has read from what was saved.
    """

    placed: tuple[PlacedPrompt, ...]
    strokes: tuple[Stroke, ...] = ()
    control: MaskControl
    labels: tuple[str, ...]
    named: tuple[str, ...]
    width: int
    height: int
    left_behind: frozenset[str] = frozenset()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What a segmenter is asked: a box first, then strokes, then clicks."""
        boxes = [placed.prompt for placed in self.placed if isinstance(placed.prompt, Box)]
        return (*boxes[:1], *self.strokes, *self.clicks)

    @property
    def point_ids(self) -> frozenset[str]:
        """Label Studio's ids of clicks and boxes."""
        return frozenset(placed.id for placed in self.placed)

    @property
    def adds_to_selected(self) -> bool:
        """Whether the first prompt is about a mask that is selected on the page."""
        return self.placed[0].is_beside_selected and self.control.auto_accept

    @property
    def leaves_selected(self) -> bool:
        """Whether a mask may be selected on the page that no answer may take the place of.

        Without Auto-Accept an answer waits for its check. Where it has the id of the mask that is
        selected the page breaks and goes blank.
        """
        return self.placed[0].is_beside_selected and not self.control.auto_accept

    @property
    def may_leave_selected(self) -> bool:
        """The same; with a generic `<Labels>` the page does not tell whether a mask is selected."""
        may_be_untold = self.control.labels_name is not None and not self.control.auto_accept
        return self.leaves_selected or may_be_untold

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks, oldest first."""
        return tuple(placed.prompt for placed in self.placed if isinstance(placed.prompt, Click))

    @property
    def is_positive(self) -> bool:
        """Whether any prompt says "object"."""
        return any(prompt.is_positive for prompt in self.prompts)


def region_request(
    points: list[Point],
    config: LabelConfig,
    image_name: str,
    there: Annotation,
    left_behind: frozenset[str],
) -> RegionRequest:
    """Return what points and boxes of one image ask for.

    Args:
        points: Oldest first, at least one.
        config: Of the task.
        image_name: The image.
        there: What the annotation holds already.
        left_behind: As in `RegionRequest`.

    Raises:
        RequestError: A point has another form than the page sends.
        LabelConfigError: There is no place for the mask.
        DataError: A seed stroke is damaged.
    """
    newest = points[-1]
    labels, point_control = labels_of_point(newest), str(newest.get("from_name", ""))
    control = config.control_for(image_name, labels=labels, point_control=point_control)
    width, height = size_of(newest)
    named = (config.named(labels, control, point_control) or ()) if control.labels else ()
    chosen = named or control.labels[:1]
    return RegionRequest(
        placed=tuple(_placed(point, config, width=width, height=height) for point in points),
        strokes=seed_strokes(there, config, image_name, height=height, width=width),
        control=control,
        labels=chosen if control.is_multiple else chosen[:1],
        named=named if control.is_multiple else named[:1],
        width=width,
        height=height,
        left_behind=left_behind,
    )


def is_negative(point: Point, config: LabelConfig) -> bool:
    """Return whether a point's control says "not object", whatever key is pressed."""
    control = config.points.get(str(point.get("from_name", "")))
    return control is not None and control.is_negative


def _placed(point: Point, config: LabelConfig, *, width: int, height: int) -> PlacedPrompt:
    if is_box(point):
        prompt: Click | Box = box_of(point, width=width, height=height)
    else:
        says_no = is_negative(point, config)
        prompt = click_of(point, width=width, height=height, is_negative=says_no)
    return PlacedPrompt(
        id=storable(point.get("id")),
        control=storable(point.get("from_name", "")),
        prompt=prompt,
        is_beside_selected=is_beside_selected(point),
    )
