"""A server of the bench's own, with photos that it may serve, and the memory that it takes."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from backend.bench.tray import draw_tray
from backend.demo.processes import Server, free_port, start_backend
from mfp_model.errors import ConfigError

_DEMO_PHOTOS = Path(__file__).parents[1] / "demo" / "photos"
_START_LIMIT_S = 120

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A photo in the folder that is the server's `MFP_LOCAL_FILES_DIR`."""

    name: str
    width: int
    height: int


@contextmanager
def bench_server(
    sizes: Sequence[Size],
    *,
    settings: Mapping[str, str] | None = None,
    n_workers: int = 1,
    tray: Size | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[tuple[Server, list[Photo]]]:
    """Run a server while the context lasts; yield it and a photo of each size.

    Args:
        sizes: Width and height of the photos, which are the demo's, enlarged.
        settings: Environment variables.
        n_workers: Of the server.
        tray: Size of a drawn picture of twenty like objects, which comes last.
        arguments: Further ones of the server's command.

    Raises:
        ConfigError: There is no `/proc` to read memory from.
        ServerError: The server does not start.
    """
    if not Path("/proc/self/status").exists():
        raise ConfigError("memory is read from /proc, which this system does not have")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = make_photos(folder, sizes)
        if tray is not None:
            photos.append(_tray(folder, tray))
        server = start_backend(
            folder / "server.log",
            port=free_port(),
            label_studio_url="",
            n_workers=n_workers,
            arguments=arguments,
            settings={"MFP_LOCAL_FILES_DIR": name, **(settings or {})},
        )
        with server.running(limit_s=_START_LIMIT_S):
            yield server, photos


def make_photos(folder: Path, sizes: Sequence[Size]) -> list[Photo]:
    """Write a JPEG of each size, no two the same, and return what they are."""
    paths = sorted(_DEMO_PHOTOS.glob("*.jpg"))
    photos = []
    for index, (width, height) in enumerate(sizes):
        with Image.open(paths[index % len(paths)]) as image:
            # Another share of it cut off each time round.
            bleed = 0.02 * (index // len(paths) % 20)
            fitted = ImageOps.fit(image.convert("RGB"), (width, height), bleed=bleed)
        photo = Photo(name=f"{index}.jpg", width=width, height=height)
        fitted.save(folder / photo.name, quality=90)
        photos.append(photo)
    return photos


def _tray(folder: Path, size: Size) -> Photo:
    width, height = size
    path = draw_tray(folder / "tray.png", width=width, height=height)
    return Photo(name=path.name, width=width, height=height)


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and its children, in millions of bytes."""
    total = 0
    for process in [pid, *_children(pid)]:
        try:
            pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:
            continue  # it has just ended
        total += pages * resource.getpagesize()
    return total / 1e6


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []
