"""Requests to Label Studio with either kind of token."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import requests

from mfp_model.errors import MfpError

_BEARER_LIFETIME_S = 240.0  # Label Studio issues them for 300


class LabelStudioError(MfpError):
    """Label Studio cannot be reached or does not accept the token."""


class LabelStudioUnreachableError(LabelStudioError):
    """Nothing answers at Label Studio's address, or does not answer in time."""


class LabelStudioRefusedError(LabelStudioError):
    """Label Studio answered that it does not take what was sent."""


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
        try:
            response = requests.get(
                f"{self._url}/api/current-user/whoami",
                headers=self.headers(),
                timeout=self._timeout_s,
                verify=self.verify,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise LabelStudioUnreachableError(
                f"Label Studio at {self._url} cannot be reached ({type(error).__name__}): "
                "start it, or correct LABEL_STUDIO_URL"
            ) from None
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

    def _exchange(self) -> str:
        try:
            response = requests.post(
                f"{self._url}/api/token/refresh/",
                json={"refresh": self._api_key},
                timeout=self._timeout_s,
                verify=self.verify,
                allow_redirects=False,  # the token is for nobody else
            )
            if response.status_code != 200:
                raise LabelStudioError(
                    f"Label Studio answered {response.status_code} to the personal access "
                    "token: create a new one and set LABEL_STUDIO_API_KEY"
                )
            return str(response.json()["access"])
        except requests.RequestException as error:
            raise LabelStudioUnreachableError(
                f"Label Studio at {self._url} cannot be asked for a token "
                f"({type(error).__name__}): check LABEL_STUDIO_URL"
            ) from None
        except (ValueError, KeyError) as error:
            raise LabelStudioError(
                f"Label Studio at {self._url} cannot be asked for a token "
                f"({type(error).__name__}): check LABEL_STUDIO_URL"
            ) from None
