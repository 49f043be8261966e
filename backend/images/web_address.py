"""Web addresses: their parts, where a redirect leads, and what messages may show of them."""

from __future__ import annotations

from urllib.parse import urljoin

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from backend.images.address import PORTS, shown_address
from mfp_model.errors import ImageError


def parsed(url: str) -> Url:
    """Return the parts of an address of the web.

    Raises:
        ImageError: It is none, or has a password in it.
    """
    try:
        target = parse_url(url)
    except LocationParseError:
        raise ImageError("image address: not a valid web address") from None
    if target.scheme not in PORTS or not target.host:
        raise ImageError(f"image address with scheme {target.scheme!r:.40}: expected http or https")
    if target.auth:
        raise ImageError(f"image {shown(target)}: a password in the address is refused")
    return target


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads.

    Letters beyond ASCII are UTF-8, which headers are not read as.

    Args:
        url: That was asked.
        location: The header of its answer.

    Raises:
        ImageError: It leads to no address.
    """
    try:
        location = location.encode("latin-1").decode()
    except UnicodeError:  # it is not
        pass
    try:
        return urljoin(url, location)
    except ValueError:
        raise ImageError(f"image {shown(parsed(url))}: redirects to no web address") from None


def origin(target: Url) -> tuple[str, str, int]:
    """Return scheme, host and port."""
    return target.scheme or "", (target.host or "").lower(), port_of(target)


def port_of(target: Url) -> int:
    """Return the port, the scheme's where the address names none."""
    return target.port or PORTS[target.scheme or "http"]


def shown(target: Url) -> str:
    """Return an address without its query, which may hold a signature, for messages and logs."""
    return shown_address(target.url)
