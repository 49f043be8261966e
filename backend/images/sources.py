"""The address that a task gives its image -> the file's bytes.

| address | read from |
|---|---|
| `data:…` | the address itself |
| `/data/upload/…`, `/data/local-files/?d=…` | the mounted folder if one is set, else Label Studio |
| other paths | Label Studio |
| `s3://…`, `gs://…`, `azure-blob://…` | where Label Studio's storage settings lead |
| `http(s)://…` of Label Studio, under either of its names | as its paths |
| other `http(s)://…`, and `//…` with the scheme of Label Studio's page | an allowed host |
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from backend.images.address import (
    absolute,
    inner_path,
    is_bare_base64,
    is_embedded,
    shown_address,
    split_address,
)
from backend.images.data_uri import data_uri_content
from backend.images.web import FetchLimits, WebFetcher
from backend.label_studio.access import LabelStudioAccess
from backend.label_studio.api import label_studio_access
from backend.settings import MEGABYTE, Settings
from mfp_model.errors import ImageError

_CLOUD_SCHEMES = ("s3", "gs", "azure-blob")
_UPLOADS = "/data/upload/"
_LOCAL_FILES = "/data/local-files/"
_SHOWN_LETTERS = 80
_BARE_SHOWN_LETTERS = 24


class ImageFiles(Protocol):
    """What reads the file behind a task's image address."""

    def read(self, address: str, task_id: str) -> bytes:
        """Return the file's content.

        Raises:
            ImageError: It cannot or may not be read.
            LabelStudioError: Label Studio does not accept the token.
        """

    def mounted(self, address: str) -> Path | None:
        """Return where the file lies on this machine, None where it does not.

        Raises:
            ImageError: The address leads out of its folder.
        """


def image_sources(settings: Settings, access: LabelStudioAccess | None = None) -> ImageSources:
    """Return what reads images, within the limits of the settings; None makes its own access."""
    max_bytes = int(settings.max_image_mb * MEGABYTE)
    limits = FetchLimits(
        max_bytes=max_bytes,
        total_s=settings.fetch_total_s,
        hosts=settings.image_hosts,
        private_networks=settings.private_networks,
        ca_bundle=settings.ca_bundle,
        public_url=settings.label_studio_public_url,
    )
    return ImageSources(
        WebFetcher(access or label_studio_access(settings), limits),
        label_studio_url=settings.label_studio_url,
        public_url=settings.label_studio_public_url,
        max_bytes=max_bytes,
        label_studio_data_dir=settings.label_studio_data_dir,
        local_files_dir=settings.local_files_dir,
    )


class ImageSources:
    """The image files of tasks, from folders, Label Studio and the web."""

    def __init__(
        self,
        web: WebFetcher,
        *,
        label_studio_url: str,
        max_bytes: int,
        public_url: str = "",
        label_studio_data_dir: Path | None = None,
        local_files_dir: Path | None = None,
    ) -> None:
        self._web = web
        self._label_studio_url = label_studio_url
        self._page_url = public_url or label_studio_url
        names = [url for url in (label_studio_url, public_url) if url]
        self._names = sorted(names, key=_path_letters, reverse=True)  # one without a path fits all
        self._max_bytes = max_bytes
        self._uploads_dir = (
            label_studio_data_dir / "media" / "upload" if label_studio_data_dir else None
        )
        self._local_files_dir = local_files_dir

    def read(self, address: str, task_id: str) -> bytes:
        """Return the content of the file at a task's image address.

        Raises:
            ImageError: The address is of an unknown kind, or cannot or may not be read.
            LabelStudioError: Label Studio does not accept the token.
        """
        if is_embedded(address):
            return self._checked(data_uri_content(address), shown_address(address))
        if is_bare_base64(address):
            raise ImageError(
                f"image address {address[:_BARE_SHOWN_LETTERS]!r}…: base64 of {len(address)} "
                "letters, expected `data:image/…;base64,` before it"
            )
        address = absolute(address, self._page_url)
        parts = split_address(address)
        if parts.scheme in _CLOUD_SCHEMES:
            return self._web.fetch(self._in_label_studio(_resolving(address, task_id)))
        path = self._path(address)
        if path is not None:
            file = self._mounted(path)
            return self._read(file) if file else self._web.fetch(self._in_label_studio(path))
        if parts.scheme in ("http", "https"):
            return self._web.fetch(address)
        raise ImageError(
            f"image address {shown_address(address)!r}: expected http(s), data:, s3:, gs:, "
            "azure-blob: or a path of Label Studio"
        )

    def _path(self, address: str) -> str | None:
        """The path in Label Studio, without that at which it lies; None for other addresses."""
        for url in self._names:
            path = inner_path(address, url)
            if path is not None:
                return path
        is_path = address.startswith("/") and not address.startswith("//")
        return address if is_path else None

    def _in_label_studio(self, path: str) -> str:
        if not self._label_studio_url:
            shown = path.partition("?")[0][:_SHOWN_LETTERS]
            raise ImageError(f"image {shown!r} lies in Label Studio: set LABEL_STUDIO_URL")
        return self._label_studio_url + path

    def mounted(self, address: str) -> Path | None:
        """Return the file at an address of Label Studio if its folder is mounted here and has it.

        Raises:
            ImageError: The address leads out of the folder.
        """
        path = None if is_embedded(address) else self._path(absolute(address, self._page_url))
        return None if path is None else self._mounted(path)

    def _mounted(self, path: str) -> Path | None:
        parts = split_address(path)
        if self._uploads_dir is not None and parts.path.startswith(_UPLOADS):
            return _inside(self._uploads_dir, unquote(parts.path.removeprefix(_UPLOADS)))
        if self._local_files_dir is not None and parts.path.rstrip("/") + "/" == _LOCAL_FILES:
            return _inside(self._local_files_dir, parse_qs(parts.query).get("d", [""])[0])
        return None

    def _read(self, path: Path) -> bytes:
        try:
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
                content = file.read(self._max_bytes + 1)
        except OSError as error:
            raise ImageError(f"image {path.name[:_SHOWN_LETTERS]!r}: {error.strerror}") from None
        return self._checked(content, path.name[:_SHOWN_LETTERS])

    def _checked(self, content: bytes, shown: str) -> bytes:
        if len(content) > self._max_bytes:
            raise ImageError(
                f"image {shown!r}: more than {self._max_bytes} bytes (MFP_MAX_IMAGE_MB)"
            )
        return content


def _path_letters(url: str) -> int:
    return len(urlsplit(url).path.rstrip("/"))


def _inside(root: Path, name: str) -> Path | None:
    """The file of that name in a folder; None where there is none."""
    if "\0" in name:
        raise ImageError("image address: a file name with a zero byte")
    root = root.resolve()
    try:
        path = (root / name.lstrip("/")).resolve()
        if not path.is_relative_to(root):
            raise ImageError(f"image {name[:_SHOWN_LETTERS]!r} leads out of its folder")
        return path if path.is_file() else None
    except OSError as error:
        raise ImageError(f"image {name[:_SHOWN_LETTERS]!r}: {error.strerror}") from None


def _resolving(address: str, task_id: str) -> str:
    """The path at which Label Studio redirects to, or passes on, a file in cloud storage."""
    if not task_id.isdecimal():
        raise ImageError(f"image in cloud storage of task {task_id[:20]!r}: expected a number")
    encoded = base64.urlsafe_b64encode(address.encode()).decode()
    return f"/tasks/{task_id}/resolve/?fileuri={encoded}"
