"""Image addresses as tasks give them: a file name for each, and what may be told of it."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mfp_model.errors import ImageError

# Uploads and local files, files of cloud storages, and those of its examples.
_FILES = re.compile(
    r"/data/(upload|local-files)/|/storage-data/uploaded/|/static/"
    r"|/(tasks|projects)/[0-9]+/(resolve|presign)/"
)
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_LETTERS = 100
_SHOWN_LETTERS = 80


def split_address(address: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ImageError: It has none, such as `http://[`.
    """
    try:
        return urlsplit(address)
    except ValueError as error:
        raise ImageError(f"image address {shown_address(address)!r}: {error}") from None


def is_embedded(address: str) -> bool:
    """Return whether the address is the image itself."""
    return address.startswith("data:")


def file_name(address: str) -> str:
    """Return a file name for an image address, in letters that every system takes.

    Raises:
        ImageError: It is no address.
    """
    if is_embedded(address):
        return "image"
    parts = split_address(address)
    named = parse_qs(parts.query).get("d", [parts.path])[0]
    name = _STRANGE.sub("-", unquote(named).rstrip("/").rpartition("/")[2])
    return name[-_MAX_NAME_LETTERS:].lstrip(".") or "image"


def public_address(address: str) -> str:
    """Return where an image is, without passwords, signatures or content.

    data:image/png;base64,iVBO… -> data:sha256-…
    https://user:word@host/photo.jpg?signature=… -> https://host/photo.jpg
    /data/local-files/?d=photo.jpg stays
    """
    if is_embedded(address):
        digest = hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()
        return f"data:sha256-{digest}"
    try:
        parts = urlsplit(address)
    except ValueError:  # the parts of it that cannot be secret
        return re.sub(r"//.*@", "//", re.split("[?#]", address)[0])
    if not parts.scheme:
        return address
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(query="", fragment="", netloc=host).geturl()


def shown_address(address: str) -> str:
    """Return the beginning of `public_address`, for messages and logs."""
    return public_address(address)[:_SHOWN_LETTERS]


def check_serves_files(path: str, base: str) -> None:
    """Refuse a path of Label Studio at which there is no image.

    It is fetched with the operator's token, and who writes tasks must not use that for more.

    Args:
        path: Of an address in Label Studio.
        base: The path at which Label Studio itself lies, empty for the root.

    Raises:
        ImageError: Label Studio serves no file there.
    """
    inner = unquote(path).removeprefix(base.rstrip("/"))
    if ".." in inner.split("/") or not _FILES.match(inner):
        raise ImageError(
            f"image {shown_address(path)!r}: not a path at which Label Studio serves images; "
            "expected /data/upload/…, /data/local-files/… or the address of a cloud storage"
        )
