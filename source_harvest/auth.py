"""How requests prove who asks: a personal access token, or OAuth with a refresh token."""

from collections.abc import Mapping
from typing import Any

from airbyte_cdk.sources.streams.http.requests_native_auth import (
    SingleUseRefreshTokenOauth2Authenticator,
    TokenAuthenticator,
)
from requests.auth import AuthBase

from source_harvest.config import Config, Settings


def authenticator(settings: Settings, config: Config, headers: Mapping[str, Any]) -> AuthBase:
    """The one authenticator that all requests of a command share.

    Harvest may rotate the refresh token when it is used (docs/harvest-behaviour.md). So each refresh writes what came
    back into `config` and emits it as a CONTROL message, and a refresh without a new refresh token keeps the old one.
    """
    if not settings.uses_oauth:
        return TokenAuthenticator(settings.credentials["api_token"])
    return SingleUseRefreshTokenOauth2Authenticator(
        config,
        token_refresh_endpoint=f"{settings.identity_url}/api/v2/oauth2/token",
        refresh_request_headers=headers,
        refresh_token_error_status_codes=(400, 401),
        refresh_token_error_key="error",
        refresh_token_error_values=("invalid_grant",),
    )
