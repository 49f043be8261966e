"""Requests to Label Studio with either kind of token."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import requests

from mfp_model.errors import DataError, MfpError

PASSING = (429, 502, 503, 504)  # what is answered while it is away
_BROKEN_OFF = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)
_BEARER_LIFETIME_S = 240.0  # Label Studio issues them for 300


class LabelStudioError(MfpError):
    """Label Studio cannot be reached or does not accept the token."""


class LabelStudioUnreachableError(LabelStudioError):
    """Nothing answers at Label Studio's address, or not in time, or not to the end."""


class LabelStudioRefusedError(LabelStudioError):
    """Label Studio answered that it does not take what was sent."""


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Else `requests` puts a password of `~/.netrc` in the token's place."""
    return request


class LabelStudioAccess:
    """Gives the authorization header for requests to one Label Studio.

    A legacy token is sent as it is; a personal access token is exchanged for a short-lived
    one, which is renewed before it ends.
    """

    def __init__(
        self, *, url: str, api_key: str, timeout_s: float = 20.0, ca_bundle: Path | None = None
    ) -> None:
        self._url = url
        self._api_key = api_key
        self._timeout_s = timeout_s
        self.verify: bool | str = str(ca_bundle) if ca_bundle else True  # as `requests` takes it
        self._lock = threading.Lock()
        self._bearer: tuple[str, float] | None = None

    @property
    def url(self) -> str:
        """Label Studio's address, without a slash at the end; empty if not configured."""
        return self._url

    @property
    def has_key(self) -> bool:
        """Whether a token is configured."""
        return bool(self._api_key)

    def headers(self) -> dict[str, str]:
        """Return the headers that authorize a request; none without a key.

        Raises:
            LabelStudioError: The personal access token was not accepted.
        """
        if not self._api_key:
            return {}
        if self._api_key.count(".") != 2:  # not a JSON web token, so a legacy one
            return {"Authorization": f"Token {self._api_key}"}
        with self._lock:
            if self._bearer is None or time.monotonic() > self._bearer[1]:
                self._bearer = (self._exchange(), time.monotonic() + _BEARER_LIFETIME_S)
            return {"Authorization": f"Bearer {self._bearer[0]}"}

    def forget(self) -> None:
        """Drop the short-lived token, as after an answer 401."""
        with self._lock:
            self._bearer = None

    def check(self) -> None:
        """Ask Label Studio who we are, where it is configured.

        Raises:
            LabelStudioError: It cannot be reached, there is no token, or it is not accepted.
        """
        if not self._url:
            return
        response = self.request("GET", "/api/current-user/whoami")
        if response.is_redirect:
            raise LabelStudioError(
                f"Label Studio at {self._url} redirects: set LABEL_STUDIO_URL to where it leads"
            )
        if response.status_code in (401, 403):
            what = "does not accept LABEL_STUDIO_API_KEY" if self._api_key else "asks for a token"
            raise LabelStudioError(
                f"Label Studio at {self._url} {what}: images that lie in it cannot be fetched; "
                "set LABEL_STUDIO_API_KEY to a token from its page Account & Settings"
            )

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float | None = None,
        body: object = None,
        files: dict[str, bytes] | None = None,
        is_authorized: bool = True,
        is_redirected: bool = False,
    ) -> requests.Response:
        """Return what Label Studio answers, whatever its status.

        Args:
            method: Of HTTP.
            path: With its query.
            timeout_s: To connect, and between two packets; by default that of this access.
            body: Sent as JSON.
            files: Sent as a form, by name.
            is_authorized: The token is sent.
            is_redirected: A redirect is followed.

        Raises:
            LabelStudioUnreachableError: Nothing answers, or not in time.
            LabelStudioError: It is no answer, or the personal access token was not accepted.
            DataError: The body cannot be sent as JSON.
        """

        def sent() -> requests.Response:
            return self._sent(
                method,
                self._url + path,
                headers=self.headers() if is_authorized else {},
                auth=_as_it_is if self._api_key else None,
                timeout=timeout_s or self._timeout_s,
                allow_redirects=is_redirected,
                json=body,
                files=files,
            )

        response = sent()
        if response.status_code == 401 and is_authorized and self._bearer is not None:
            self.forget()  # it ended earlier than was said
            response = sent()
        return response

    def _sent(self, method: str, url: str, **content: Any) -> requests.Response:  # noqa: ANN401
        try:
            return requests.request(method, url, verify=self.verify, **content)
        except requests.exceptions.InvalidJSONError as error:
            path = url.removeprefix(self._url)
            raise DataError(f"{method} {path}: cannot be sent as JSON: {error}") from None
        except requests.RequestException as error:
            is_away = isinstance(error, _BROKEN_OFF)
            kind = LabelStudioUnreachableError if is_away else LabelStudioError
            raise kind(
                f"Label Studio at {self._url} cannot be reached ({type(error).__name__}): "
                "start it, or correct LABEL_STUDIO_URL"
            ) from None
        except OSError as error:  # the file of certificates went away
            raise LabelStudioError(
                f"Label Studio at {self._url} cannot be asked: {error}"
            ) from None

    def _exchange(self) -> str:
        refresh = {"refresh": self._api_key}
        response = self.request("POST", "/api/token/refresh/", body=refresh, is_authorized=False)
        if response.status_code != 200:
            is_refused = response.status_code in (400, 401, 403)
            advice = "create a new one and set LABEL_STUDIO_API_KEY" if is_refused else "try later"
            is_away = response.status_code in PASSING
            kind = LabelStudioUnreachableError if is_away else LabelStudioError
            raise kind(
                f"Label Studio answered {response.status_code} to the personal access token: "
                f"{advice}"
            )
        try:
            return str(response.json()["access"])
        except (ValueError, KeyError, TypeError) as error:
            raise LabelStudioError(
                f"Label Studio at {self._url} cannot be asked for a token "
                f"({type(error).__name__}): check LABEL_STUDIO_URL"
            ) from None
