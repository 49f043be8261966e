"""Hand-written stand-ins."""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from backend.settings import Settings
from mfp_model.frames.layered_map import LayeredMap
from mfp_model.frames.window import whole
from mfp_model.masks.runs import MaskRuns
from mfp_model.prediction import Prediction
from mfp_model.prompts import Box, Click, Prompt, Stroke, clicks_of
from mfp_model.segmenter import Segmenter


class DiskSegmenter(Segmenter):
    """Answers a disk around every positive click, minus one around every negative click.

    A box is answered whole.

    Attributes:
        n_rounds: Rounds computed so far.
        clicks: The newest answer's clicks.
    """

    def __init__(self, radius: float = 20) -> None:
        self._radius = radius
        self.n_rounds = 0
        self.clicks: tuple[Click, ...] = ()

    @property
    def version(self) -> str:
        return "disks-1"

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def edits(self) -> bool:
        return True

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        return (Click, Stroke, Box)

    def _rounds(
        self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...], previous: Prediction
    ) -> Iterator[Prediction]:
        self.clicks = clicks_of(prompts)
        mask = previous.edited.mask() if previous.edited else None
        for n_prompts in range(len(previous.prompts) + 1, len(prompts) + 1):
            self.n_rounds += 1
            prediction = self._prediction(image, prompts[:n_prompts])
            if mask is not None:
                newest = self.clicks[n_prompts - 1]
                disk = self._prediction(image, (replace(newest, is_positive=True),))
                mask = mask | disk.mask if newest.is_positive else mask & ~disk.mask
                prediction = replace(prediction, edited=MaskRuns.of(mask))
            yield prediction

    def _prediction(self, image: NDArray[np.uint8], prompts: tuple[Prompt, ...]) -> Prediction:
        height, width = image.shape[:2]
        rows, columns = np.mgrid[0:height, 0:width]
        values = np.zeros((height, width), np.float32)
        for box in (prompt for prompt in prompts if isinstance(prompt, Box)):
            values[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = 1.0
        for click in clicks_of(prompts):
            near = (columns - click.x) ** 2 + (rows - click.y) ** 2 < self._radius**2
            values[near] = float(click.is_positive)
        layers = LayeredMap(height=height, width=width).pasted(whole(height, width), values)
        return Prediction(prompts=prompts, layers=layers)


def temporary_settings(**fields: Any) -> Settings:  # noqa: ANN401, as the settings have them
    """Settings with a data folder of their own, which goes when the tests end."""
    folder = tempfile.TemporaryDirectory(prefix="label-studio-mfp-tests-")
    atexit.register(folder.cleanup)
    return Settings(**{"data_dir": Path(folder.name), **fields})


class ClickSegmenter(DiskSegmenter):
    """Understands clicks alone."""

    @property
    def prompt_kinds(self) -> tuple[type[Prompt], ...]:
        return (Click,)


class LoopbackSite(ThreadingHTTPServer):
    """A web server on a free port of this machine."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def serving(self) -> Iterator[Self]:
        thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.server_close()


class QuietHandler(BaseHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *arguments: object) -> None:
        pass


def path_without_nice(folder: Path) -> str:
    """Return a `PATH` on which `nice -n N COMMAND` runs a command at the usual priority.

    Jobs of fine-tuning give way to everything else; beside other tests they would take minutes.
    """
    folder.mkdir(parents=True)
    nice = folder / "nice"
    nice.write_text('#!/bin/sh\nshift 2\nexec "$@"\n')
    nice.chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"
