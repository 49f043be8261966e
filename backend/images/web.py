"""Bytes from a web address that a task names, and that nobody vouches for.

Label Studio itself is trusted, as its address is a setting. Every other host, at the start or at
the end of a redirect, must be on the allow-list, and the connection goes to an address that was
checked itself, so that a name cannot lead to another machine between check and connection.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
)
from urllib3.util import Timeout, Url

from backend.environment.readers import Network
from backend.images.address import check_serves_files, inner_path
from backend.images.deadline import ended_at
from backend.images.web_address import origin, parsed, port_of, redirected, shown
from backend.label_studio.access import LabelStudioAccess
from mfp_model.errors import ImageError

_CHUNK_BYTES = 1 << 18
_MAX_REDIRECTS = 5
_TIMEOUT_S = 20.0
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Beside it lie site-local addresses, and other ways to write those of IPv4, as a local NAT64's.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What may be fetched, as in `Settings`; `timeout_s` is to connect, and between two packets.

    What lies at `public_url`, Label Studio's address in browsers, is fetched from Label Studio.
    """

    max_bytes: int
    total_s: float
    timeout_s: float = _TIMEOUT_S
    hosts: tuple[str, ...] = ()
    private_networks: tuple[Network, ...] = ()
    ca_bundle: Path | None = None
    public_url: str = ""


class WebFetcher:
    """Fetches files, with Label Studio's token where they lie in Label Studio."""

    def __init__(self, access: LabelStudioAccess, limits: FetchLimits) -> None:
        self._access = access
        self._limits = limits

    def fetch(self, url: str) -> bytes:
        """Return the content at an http(s) address.

        Raises:
            ImageError: Not allowed, not there, too large, or too slow.
            LabelStudioError: Label Studio does not accept the token.
        """
        deadline = time.monotonic() + self._limits.total_s
        has_renewed_token = False
        for _ in range(_MAX_REDIRECTS + 2):
            target = parsed(url)
            is_ours = self._is_ours(target)
            if is_ours:
                check_serves_files(target.path or "", parsed(self._access.url).path or "")
            else:
                self._check_host(target)
            with self._answer(target, is_ours=is_ours, deadline=deadline) as response:
                if response.status == 401 and is_ours and not has_renewed_token:
                    self._access.forget()
                    has_renewed_token = True
                elif response.status in _REDIRECTS:
                    url = self._reachable(redirected(url, response.headers.get("Location", "")))
                    _check_is_no_login(url, is_ours=is_ours)
                else:
                    _check_status(response.status, target, is_ours=is_ours)
                    return self._content(response, target, deadline)
        raise ImageError(f"image {shown(target)}: more than {_MAX_REDIRECTS} redirects")

    def _reachable(self, url: str) -> str:
        """An address that Label Studio gives of itself, as it may know its public one alone."""
        public, own = self._limits.public_url, self._access.url
        if not public or not own or inner_path(url, own) is not None:
            return url
        path = inner_path(url, public)
        return url if path is None else own + path

    def _is_ours(self, target: Url) -> bool:
        return bool(self._access.url) and origin(target) == origin(parsed(self._access.url))

    def _check_host(self, target: Url) -> None:
        host = (target.host or "").lower().rstrip(".")
        if not any(_fits(host, pattern) for pattern in self._limits.hosts):
            raise ImageError(
                f"image {shown(target)}: host {host!r:.80} is not allowed; add it to "
                "MFP_IMAGE_HOSTS, or set LABEL_STUDIO_URL if it is Label Studio"
            )

    @contextmanager
    def _answer(
        self, target: Url, *, is_ours: bool, deadline: float
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        headers = {"Host": target.netloc or "", "Accept-Encoding": "identity"}
        headers |= self._access.headers() if is_ours else {}
        error: Exception = OSError("no address")
        for address in self._addresses(target, is_ours=is_ours):
            with self._pool(target, address, deadline) as pool, ended_at(deadline, pool):
                try:
                    response = pool.urlopen(
                        "GET",
                        target.request_uri,
                        headers=headers,
                        redirect=False,
                        assert_same_host=False,
                        preload_content=False,
                    )
                except (NewConnectionError, ConnectTimeoutError) as failure:
                    error = failure  # one of a host's addresses may be out of reach
                    continue
                except HTTPError as failure:
                    error = failure
                    break
                with response:
                    yield response
                    return
        self._check_time(target, deadline)
        hint = "; is Label Studio running at LABEL_STUDIO_URL?" if is_ours else ""
        raise ImageError(f"image {shown(target)} cannot be fetched ({type(error).__name__}){hint}")

    def _pool(self, target: Url, address: str, deadline: float) -> urllib3.HTTPConnectionPool:
        left_s = max(0.1, deadline - time.monotonic())
        wait_s = min(self._limits.timeout_s, left_s)
        port, timeout = port_of(target), Timeout(connect=wait_s, read=wait_s)
        if target.scheme == "http":
            return urllib3.HTTPConnectionPool(address, port, timeout=timeout, retries=False)
        try:
            context = ssl.create_default_context(cafile=self._limits.ca_bundle)
        except OSError as error:
            raise ImageError(f"SSL_CERT_FILE={self._limits.ca_bundle}: {error}") from None
        return urllib3.HTTPSConnectionPool(
            address,
            port,
            timeout=timeout,
            retries=False,
            ssl_context=context,
            server_hostname=target.host,
            assert_hostname=target.host,
        )

    def _addresses(self, target: Url, *, is_ours: bool) -> list[str]:
        """The host's addresses that may be connected to, at least one."""
        host = (target.host or "").strip("[]")
        try:
            infos = socket.getaddrinfo(host, port_of(target), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):  # UnicodeError: a part of the name is too long
            raise ImageError(f"image {shown(target)}: no such host") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        allowed = [a for a in addresses if is_ours or self._is_allowed(a)]
        if not allowed:
            raise ImageError(
                f"image {shown(target)}: its host is at the private address {addresses[0]}; "
                "add the range to MFP_PRIVATE_NETWORKS if images may come from there"
            )
        return allowed

    def _is_allowed(self, text: str) -> bool:
        address = _embedded(ipaddress.ip_address(text.partition("%")[0]))
        if any(address in network for network in self._limits.private_networks):
            return True
        is_public = isinstance(address, ipaddress.IPv4Address) or address in _GLOBAL_UNICAST
        return is_public and address.is_global and not address.is_multicast

    def _content(self, response: urllib3.BaseHTTPResponse, target: Url, deadline: float) -> bytes:
        content = bytearray()
        try:
            while chunk := response.read1(_CHUNK_BYTES):
                content += chunk
                if len(content) > self._limits.max_bytes:
                    raise ImageError(
                        f"image {shown(target)}: more than {self._limits.max_bytes} bytes "
                        "(MFP_MAX_IMAGE_MB)"
                    )
                self._check_time(target, deadline)
        except (HTTPError, OSError) as error:
            self._check_time(target, deadline)
            raise ImageError(
                f"image {shown(target)}: broken off after {len(content)} bytes "
                f"({type(error).__name__})"
            ) from None
        self._check_time(target, deadline)  # what is ended then may look whole
        return bytes(content)

    def _check_time(self, target: Url, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise ImageError(
                f"image {shown(target)}: not here after {self._limits.total_s:g} s "
                "(MFP_FETCH_TOTAL_S)"
            )


def _fits(host: str, pattern: str) -> bool:
    """Whether a host is one of a pattern's; brackets are those of an IPv6 address."""
    if host.startswith("["):
        host, pattern = host.strip("[]"), pattern.removeprefix("[").removesuffix("]")
    return fnmatchcase(host, pattern)


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _check_is_no_login(url: str, *, is_ours: bool) -> None:
    if is_ours and "/user/login" in url:
        raise ImageError(
            "Label Studio asks to log in for an image: set LABEL_STUDIO_API_KEY to a valid token"
        )


def _check_status(status: int, target: Url, *, is_ours: bool) -> None:
    if status in (401, 403) and is_ours:
        raise ImageError(
            f"image {shown(target)}: Label Studio does not let us have it ({status}); "
            "set LABEL_STUDIO_API_KEY to a valid token"
        )
    if status != 200:
        raise ImageError(f"image {shown(target)}: answered {status}, expected 200")
