"""A segmenter whose rounds are computed by replicas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from backend.answering.turns import Place, SupersededError
from backend.cluster.messages import (
    ClusterError,
    Facts,
    Missing,
    OutOfDate,
    Picture,
    Round,
    Which,
    picture_name,
    prediction_name,
)
from backend.images.loader import LoadedImage
from mfp_model.prediction import Prediction
from mfp_model.prompts import Prompt
from mfp_model.segmenter import Segmenter, check_image

Check = Callable[[], None]  # raises where nobody waits for the answer any more


class Replicas(ABC):
    """The replicas, one of which answers; any thread may use it.

    A session is answered by the same one as long as that is there.
    """

    @abstractmethod
    def facts(self, which: Which) -> Facts:
        """Return what there is to know of a segmenter; it waits for the first replica.

        Raises:
            MfpError: It cannot be loaded, or no replica can serve.
        """

    @abstractmethod
    def next_round(self, asked: Round, check: Check) -> Prediction | Missing | OutOfDate:
        """Return the prediction that follows, or why there is none.

        Raises:
            MfpError: No replica answered, or as of `check` and `Segmenter.rounds`.
        """

    @abstractmethod
    def appearance(
        self, session: str, which: Which, picture: Picture
    ) -> NDArray[np.float32] | Missing:
        """Return what an image looks like, or what is missing. Raises like `next_round`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Click:
    """For whom rounds are computed.

    Attributes:
        pixels: The task's image; of any other the name is not.
        name: The image's.
        place: Whose click it is.
    """

    pixels: NDArray[np.uint8]
    name: str
    place: Place


class RemoteSegmenter(Segmenter):
    """Sends an image once, and then its name; the same of what a round goes on from."""

    def __init__(
        self, replicas: Replicas, which: Which, facts: Facts, click: _Click | None = None
    ) -> None:
        """Make one.

        Args:
            replicas: Who computes.
            which: With what.
            facts: What is known of that.
            click: For whom; None for nobody in particular.
        """
        self._replicas = replicas
        self._which = which
        self._facts = facts
        self._click = click

    @classmethod
    def of(cls, replicas: Replicas, which: Which) -> RemoteSegmenter:
        """Return it, once a replica has it in memory; errors as of `Replicas.facts`."""
        return cls(replicas, which, replicas.facts(which))

    def for_click(self, image: LoadedImage, place: Place) -> RemoteSegmenter:
        """Return the segmenter for a click on a task's image."""
        name = f"{image.digest} {image.pixels.shape}"
        click = _Click(pixels=image.pixels, name=name, place=place)
        return RemoteSegmenter(self._replicas, self._which, self._facts, click)

    @property
    def which(self) -> Which:
        """What computes."""
        return self._which

    @property
    def version(self) -> str:
        """The model version, which tells the precision, too."""
        return self._facts.version

    @property
    def device(self) -> str:
        """Where replicas compute, and by which engine."""
        return f"replicas: {self._facts.device}"

    @property
    def edits(self) -> bool:
        """Whether it can start from a mask."""
        return self._facts.edits

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        """The prompts that it understands."""
        return self._facts.prompt_kinds

    def appearance(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what an image looks like, see `Segmenter.appearance`."""
        check_image(image)
        name = self._name(image)
        session = self._session(name)
        answer = self._replicas.appearance(session, self._which, Picture(name=name))
        if isinstance(answer, Missing):
            picture = Picture(name=name, pixels=image)
            answer = self._replicas.appearance(session, self._which, picture)
        if isinstance(answer, Missing):
            raise ClusterError("a replica misses an image that was sent to it")
        return answer

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        name, click, prediction = self._name(image), self._click, previous
        while len(prediction.prompts) < len(prompts):
            is_begun = bool(prediction.prompts) or prediction.edited is not None
            asked = Round(
                which=self._which,
                version=self.version,
                picture=Picture(name=name),
                prompts=prompts,
                previous_name=prediction_name(prediction) if is_begun else "",
                session=self._session(name),
                point_ids=click.place.who.point_ids if click else frozenset(),
                number=click.place.number if click else 0,
            )
            prediction = self._answer(asked, image, prediction)
            yield prediction

    def _answer(self, asked: Round, image: NDArray[np.uint8], previous: Prediction) -> Prediction:
        check = self._click.place.check if self._click else _nobody_leaves
        answer = self._replicas.next_round(asked, check)
        if isinstance(answer, Missing):  # another replica may answer now: it gets all
            asked = replace(
                asked,
                picture=Picture(name=asked.picture.name, pixels=image),
                previous=previous if asked.previous_name else None,
            )
            answer = self._replicas.next_round(asked, check)
        if isinstance(answer, OutOfDate):
            raise SupersededError("a newer click of the same region has arrived")
        if isinstance(answer, Missing):
            raise ClusterError("a replica misses what was sent to it")
        return answer

    def _name(self, image: NDArray[np.uint8]) -> str:
        is_tasks = self._click is not None and self._click.pixels is image
        return self._click.name if self._click and is_tasks else picture_name(image)

    def _session(self, image_name: str) -> str:
        return self._click.place.who.task if self._click else image_name


def for_click(segmenter: Segmenter, image: LoadedImage, place: Place) -> Segmenter:
    """Return what computes a click's rounds: replicas get to know whose they are."""
    if isinstance(segmenter, RemoteSegmenter):
        return segmenter.for_click(image, place)
    return segmenter


def _nobody_leaves() -> None:
    pass
