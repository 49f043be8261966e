"""What browsers are told and asked, so that no page but ours acts with their login."""

from __future__ import annotations

import ipaddress
import re
from fnmatch import fnmatchcase

from flask import Response
from werkzeug.wrappers import Request

from mfp_model.errors import MfpError

_READING = ("GET", "HEAD", "OPTIONS")
_JSON_ROUTES = ("/predict", "/setup", "/webhook")
_LOCAL_NAMES = ("localhost", "*.localhost")
_HOST = re.compile(r"[a-z0-9._-]+(:[0-9]{1,5})?", re.IGNORECASE)
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
# The status page alone runs a script: its own file, which asks this server for the page anew.
_STATUS_POLICY = f"{_POLICY}; script-src 'self'; connect-src 'self'"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RefusedError(MfpError):
    """A request that is not looked at further.

    Attributes:
        status: What it is answered.
    """

    status = 403


class HostError(RefusedError):
    """A request to a name that is not ours."""

    status = 421


class OriginError(RefusedError):
    """A request that another site's page made."""


class ContentTypeError(RefusedError):
    """A request whose body is of another kind."""

    status = 415


def check_host(request: Request, hosts: tuple[str, ...], *, is_open: bool) -> None:
    """Refuse other names, with which a foreign page could read our answers.

    A page's own name can be made to lead to this machine; an address cannot. With a password
    nothing is gained by that, as browsers send it to its own name only.

    Args:
        request: Any request.
        hosts: Names that are ours, `*` for any letters; empty for the default.
        is_open: Whether no password is asked for.

    Raises:
        HostError: Another name.
    """
    if not hosts and not is_open:
        return
    name = _host_name(_host(request))
    if _is_address(name) or any(fnmatchcase(name, pattern) for pattern in (*hosts, *_LOCAL_NAMES)):
        return
    sent = name or request.headers.get("Host", "")
    raise HostError(f"host {sent!r:.80}: not a name of this server; add it to MFP_ALLOWED_HOSTS")


def check_origin(request: Request) -> None:
    """Refuse requests that change something and come from another site's page.

    Browsers send `Origin` with each of those; programs send none.

    Raises:
        OriginError: It is another site's.
    """
    if request.method in _READING:
        return
    origin, host = request.headers.get("Origin"), _host(request)
    site = request.headers.get("Sec-Fetch-Site", "none")
    if origin is not None and (not host or origin.partition("://")[2] != host):
        raise OriginError(f"sent from a page of {origin!r:.80}: expected this server's own")
    if site not in ("none", "same-origin"):
        raise OriginError(f"sent from a page of another site ({site!r:.20})")


def check_content_type(request: Request) -> None:
    """Refuse what a foreign page's form can send without being asked.

    Raises:
        ContentTypeError: A JSON route is sent something else.
    """
    if request.method == "POST" and request.path in _JSON_ROUTES and not request.is_json:
        raise ContentTypeError(f"content type {request.mimetype!r:.80}: expected application/json")


def add_headers(response: Response, path: str) -> None:
    """Say that no page may show, keep or extend the answer to a request for this path."""
    response.headers.update(_HEADERS)
    policy = _STATUS_POLICY if path == "/" else _POLICY
    response.headers["Content-Security-Policy"] = policy


def _host(request: Request) -> str:
    """Host and port; Werkzeug leaves out names with `_`, which Docker gives to containers."""
    sent = request.headers.get("Host", "")
    return request.host or (sent if _HOST.fullmatch(sent) else "")


def _host_name(host: str) -> str:
    """The host without its port, in small letters."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
