"""Authentication: a personal access token, or OAuth with a refresh token."""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.sources.streams.http import HttpClient
from airbyte_cdk.sources.streams.http.requests_native_auth import (
    SingleUseRefreshTokenOauth2Authenticator,
    TokenAuthenticator,
)
from requests.auth import AuthBase
from typing_extensions import override

from source_harvest.api.error_handler import HarvestErrorHandler, plain_errors
from source_harvest.api.logs import quiet
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.api.request_slots import RequestSlots
from source_harvest.api.session import JsonSession, object_of
from source_harvest.config import Config, Settings
from source_harvest.errors import HarvestError, Place, config_error, quote_unless_secret, schema_errors
from source_harvest.secret_filter import add_secrets

# Seconds to connect, and seconds without a byte of the response: a page of 2,000 rows takes Harvest a while.
TIMEOUT = (10, 60)
# Redirects are not followed: they would send the credentials to another address.
REQUEST_KWARGS = {"timeout": TIMEOUT, "allow_redirects": False}

# Seconds without another token refresh after one failed with a transient error.
SPARED = 60

Ask = Callable[[], requests.Response]
"""Sends a request once."""

ACCESS_TOKEN = Place("access token", "everyone")
REJECTED_AGAIN = (
    "Harvest rejected the access token (401), and renewing it did not help. "
    "Authenticate again in the source's settings."
)


def authenticator(settings: Settings, config: Config, headers: Mapping[str, Any], no_answer: NoAnswerLimit) -> AuthBase:
    """The authenticator that all requests of a command share.

    Raises a config `HarvestError` if `token_expiry_date` is not a date.
    """
    if not settings.uses_oauth:
        return TokenAuthenticator(settings.credentials["api_token"])
    # The CDK updates this config in place, for later commands in this process. It takes null for a value, and an empty
    # access token for a valid one, so empty values are removed.
    kept = config["credentials"]
    kept.update(settings.credentials)
    for name in [name for name, value in kept.items() if value in (None, "")]:
        del kept[name]
    if "access_token" not in kept:
        kept.pop("token_expiry_date", None)
    try:
        oauth = HarvestOAuth(config, f"{settings.identity_url}/api/v2/oauth2/token", refresh_request_headers=headers)
    except (ValueError, OverflowError):
        held = quote_unless_secret(settings.credentials["token_expiry_date"])
        raise config_error(
            f'The config field "credentials.token_expiry_date" is {held}. It must be what the connector left there.'
        ) from None
    oauth.no_answer = no_answer
    return oauth


class HarvestOAuth(SingleUseRefreshTokenOauth2Authenticator):
    """The CDK's OAuth with our own token request.

    Harvest may rotate the refresh token when it is used (B25 of docs/harvest-behaviour.md). So each refresh writes the
    new tokens into the config and emits it as a CONTROL message; without a new refresh token, the old one is kept.
    After Harvest rejected an access token, a single request tries the new one before all others use it.
    """

    no_answer: NoAnswerLimit
    _is_untried = False
    """Whether the access token replaced a rejected one, and Harvest has not accepted it yet."""
    _failure: HarvestError | None = None
    _failed_until = 0.0

    @override
    def _make_handled_request(self) -> Any:
        """The new tokens from Harvest. The CDK's own request has no timeout and follows redirects.

        Raises `HarvestError`.
        """
        handler = HarvestErrorHandler(ACCESS_TOKEN, _expect_tokens, self.no_answer)
        session = JsonSession(RequestSlots(1), self.no_answer)
        # No DEBUG lines: they would show the secrets in the body.
        client = HttpClient("access token", quiet(logging.getLogger("airbyte"), logging.INFO), handler, session=session)
        try:
            with plain_errors():
                url, form = str(self.get_token_refresh_endpoint()), self.build_refresh_request_body()
                headers = self.build_refresh_request_headers()
                _, response = client.send_request("POST", url, REQUEST_KWARGS, headers=headers, data=form)
        except HarvestError as error:
            raise _refresh_refused(error) if error.status and 400 <= error.status < 500 else error.copy() from error
        body = object_of(response)
        if not _is_token(body.get("access_token")):
            raise HarvestError("Harvest's answer to the refresh token has no access token.", FailureType.system_error)
        if not _is_token(body.get("refresh_token") or body["access_token"]):
            raise HarvestError("Harvest returned a malformed refresh token.", FailureType.system_error)
        add_secrets(*(body.get(name) or "" for name in ("access_token", "refresh_token")))
        return body

    @override
    def refresh_access_token(self) -> Any:
        """The new access token, its expiry, and the next refresh token. Raises `HarvestError`."""
        if self._failure and time.monotonic() < self._failed_until:
            raise self._failure.copy()
        try:
            with schema_errors(ACCESS_TOKEN):
                return super().refresh_access_token()
        except HarvestError as error:
            # Other streams fail at once with the same error, instead of each retrying the refresh.
            is_passing = error.failure_type is FailureType.transient_error
            self._failure, self._failed_until = error, time.monotonic() + SPARED if is_passing else math.inf
            raise

    def answer(
        self, request: requests.PreparedRequest, ask: Ask, before_another: Callable[[], None]
    ) -> requests.Response:
        """Sends a request with the access token, which is refreshed if Harvest rejects it.

        Calls `before_another` before the request is sent again.
        Raises `HarvestError`: a config error if Harvest rejects a new token too.
        """
        self(request)
        rejected = None
        if not self._is_untried:
            response = ask()
            if response.status_code != 401:
                return response
            response.close()
            rejected = request.headers["Authorization"]
        with self._token_refresh_lock:
            return self._answer_alone(request, ask, before_another, rejected)

    def _answer_alone(
        self, request: requests.PreparedRequest, ask: Ask, before_another: Callable[[], None], rejected: str | None
    ) -> requests.Response:
        """As `answer`, while no other thread may replace the token. `rejected` is the header that Harvest rejected."""
        while True:
            stays_untried = False
            try:
                if self.get_auth_header()["Authorization"] == rejected:
                    self._is_untried = True  # before other threads see the new token
                    self.refresh_and_set_access_token()
                self(request)
                if rejected:
                    before_another()
                response = ask()
                stays_untried = response.status_code in {401, 429}  # 401 rejects the token, and 429 says nothing of it
            finally:
                self._is_untried = self._is_untried and stays_untried
            if response.status_code != 401:
                return response
            response.close()
            if self._is_untried:
                raise HarvestError(REJECTED_AGAIN, FailureType.config_error, status=401)
            rejected = request.headers["Authorization"]


def _expect_tokens(response: requests.Response) -> None:
    """Raises `ValueError` if the response holds no token, so that the request is retried.

    With any token it is not: the refresh token that was sent may be used up.
    """
    body = object_of(response)
    if not any(_is_token(body.get(name)) for name in ("access_token", "refresh_token")):
        raise ValueError("it has no access token")


def _is_token(value: object) -> bool:
    """Whether a header can hold the value."""
    return isinstance(value, str) and re.fullmatch("[!-~]+", value) is not None


def _refresh_refused(error: HarvestError) -> HarvestError:
    return HarvestError(
        f"{error.said}, and refused to renew the access token. Check the client ID, the client secret and the refresh "
        "token in the source's settings, or authenticate again.",
        FailureType.config_error,
        status=401,
    )
