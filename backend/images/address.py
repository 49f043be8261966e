"""Image addresses as tasks give them: a file name for each, and what may be told of it."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from mfp_model.errors import ImageError

PORTS = {"http": 80, "https": 443}  # by scheme, where an address names none
# Uploads and local files, files of cloud storages, and those of its examples.
_FILES = re.compile(
    r"/data/(upload/|local-files(/|$))|/storage-data/uploaded/|/static/"
    r"|/(tasks|projects)/[0-9]+/(resolve|presign)/"
)
_SEPARATORS = re.compile(r"[/\\]")
_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_LETTERS = 100
_SHOWN_LETTERS = 200
_AROUND = "".join(map(chr, range(33)))  # what browsers pass over at both ends of an address
_WITHIN = str.maketrans("", "", "\t\n\r")  # and everywhere in it
_SCHEME_LETTERS = 100  # more than a scheme and the blanks before it have
_BARE_LETTERS = 64
# How JPEG, PNG, GIF, WebP, TIFF, BMP and AVIF begin in base64.
_BARE = re.compile(
    r"(/9j/|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|Qk|AAAA..Z0eX)[A-Za-z0-9+/\s]*+[=\s]*+"
)
_WEB = re.compile(r"(https?:)?[/\\]", re.IGNORECASE)
_LOCAL_FILE = re.compile(r"data/local-files/?\?")  # Label Studio serves it below any of its pages


def cleaned(address: str) -> str:
    """Return an address without the blanks and line breaks that browsers pass over."""
    return address.strip(_AROUND).translate(_WITHIN)


def absolute(address: str, page_url: str) -> str:
    """Return an address as browsers take it on a page, cleaned.

    `//host/photo.png` has the page's scheme, and a backslash in a path of the web is a slash.
    `data/local-files/?d=photo.png` is the same as with a slash before it.

    Args:
        address: As a task has it.
        page_url: Where the page is, empty where that is not known.
    """
    address = cleaned(address)
    if _WEB.match(address):
        path = re.split("[?#]", address, maxsplit=1)[0]
        address = path.replace("\\", "/") + address[len(path) :]
    elif _LOCAL_FILE.match(address):
        address = f"/{address}"
    scheme = page_url.partition("://")[0]
    return f"{scheme}:{address}" if scheme and address.startswith("//") else address


def split_address(address: str) -> SplitResult:
    """Return the parts of an address.

    Raises:
        ImageError: It has none, such as `http://[`.
    """
    try:
        return urlsplit(cleaned(address))
    except ValueError as error:
        raise ImageError(f"image address {shown_address(address)!r}: {error}") from None


def is_embedded(address: str) -> bool:
    """Return whether the address is the image itself."""
    return cleaned(address[:_SCHEME_LETTERS]).lower().startswith("data:")


def is_bare_base64(address: str) -> bool:
    """Return whether the address is a picture's base64 with no `data:` before it."""
    return len(address) >= _BARE_LETTERS and _BARE.fullmatch(address) is not None


def inner_path(address: str, base_url: str) -> str | None:
    """Return an address's path and query in a site, None for addresses of others.

    Args:
        address: Of the web, or a path on the site's host.
        base_url: Where the site is, with the path at which it lies, if it has one.
    """
    parts, base = split_address(address), urlsplit(base_url)
    if (parts.scheme or parts.netloc) and _origin(parts) != _origin(base):
        return None
    folder = base.path.rstrip("/")
    if not parts.path.startswith(f"{folder}/"):
        return None
    query = f"?{parts.query}" if parts.query else ""
    return parts.path.removeprefix(folder) + query


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    """Scheme, host and port; with a user's name before the host it is another one."""
    try:
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        port = None
    host = parts.netloc if "@" in parts.netloc else parts.hostname or ""
    return parts.scheme, host, port


def file_name(address: str) -> str:
    """Return a file name for an image address, in letters that every system takes.

    Raises:
        ImageError: It is no address.
    """
    if is_embedded(address):
        return "image"
    parts = split_address(address)
    named = parse_qs(parts.query).get("d", [parts.path])[0]
    return safe_name(unquote(named).rstrip("/").rpartition("/")[2])


def safe_name(text: str) -> str:
    """Return a text as a file name, in letters that every system takes."""
    return _STRANGE.sub("-", text)[-_MAX_NAME_LETTERS:].lstrip(".") or "image"


def public_address(address: str) -> str:
    """Return where an image is, without passwords, signatures or content.

    data:image/png;base64,iVBO… -> data:sha256-…
    https://user:word@host/photo.jpg?signature=… -> https://host/photo.jpg
    //host/photo.jpg?signature=… -> //host/photo.jpg
    /data/local-files/?d=photo.jpg stays
    """
    if is_embedded(address):
        digest = hashlib.sha256(address.encode(errors="surrogatepass")).hexdigest()
        return f"data:sha256-{digest}"
    address = absolute(address, "")
    try:
        parts = urlsplit(address)
    except ValueError:  # the parts of it that cannot be secret
        before, slashes, rest = re.split("[?#]", address, maxsplit=1)[0].partition("//")
        return before + slashes + rest.rpartition("@")[2]
    if not parts.scheme and not parts.netloc:
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
    parts = _SEPARATORS.split(unquote(inner))  # once more, as a proxy before it may do
    if ".." in parts or not _FILES.match(inner):
        raise ImageError(
            f"image {shown_address(path)!r}: not a path at which Label Studio serves images; "
            "expected /data/upload/…, /data/local-files/… or the address of a cloud storage"
        )
