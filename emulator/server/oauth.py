"""Personal access tokens, and the tokens of one OAuth2 application."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from emulator.server.errors import RefusedError


class OAuth:
    """One OAuth2 application, and all valid tokens of the account."""

    def __init__(self, account_id: int, user_id: int) -> None:
        self.client_id = "emulated-client-id"
        self.client_secret = "emulated-client-secret"
        self.code = "emulated-authorization-code"
        self.refresh_token = f"{user_id}.rt.emulated-0"
        self.lifetime = timedelta(days=14)
        self.rotate = False  # whether each refresh replaces the refresh token
        self._account_id = account_id
        self._user_id = user_id
        self._personal: dict[str, int] = {}
        self._access: dict[str, datetime] = {}
        self._issued = 0

    def personal_token(self, user_id: int) -> str:
        """A personal access token of the user. It never expires."""
        token = f"{user_id}.pt.emulated"
        self._personal[token] = user_id
        return token

    def user_of(self, token: str, now: datetime) -> int | None:
        """The user of a valid token; None if the token is invalid."""
        if self._access.get(token, now) > now:
            return self._user_id
        return self._personal.get(token)

    def expire(self) -> None:
        """Expire all access tokens. The refresh token stays valid."""
        self._access.clear()

    def expire_one(self, token: str) -> None:
        """Expire one access token."""
        self._access.pop(token, None)

    def revoke(self) -> None:
        """Revoke the access tokens and the refresh token."""
        self._access.clear()
        self.refresh_token = ""

    def grant(self, form: dict[str, Any], now: datetime) -> dict[str, Any]:
        """A new access token for a valid refresh token or authorization code. Raises `RefusedError` for any other."""
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            raise RefusedError(401, {"error": "invalid_client", "error_description": "The client is not known."})
        kind = form.get("grant_type")
        given = {"refresh_token": form.get("refresh_token"), "authorization_code": form.get("code")}.get(str(kind))
        expected = {"refresh_token": self.refresh_token, "authorization_code": self.code}.get(str(kind))
        if not given or given != expected:
            raise RefusedError(400, {"error": "invalid_grant", "error_description": "The grant is not valid."})
        self._issued += 1
        token = f"{self._user_id}.at.emulated-{self._issued}"
        self._access[token] = now + self.lifetime
        if self.rotate:
            self.refresh_token = f"{self._user_id}.rt.emulated-{self._issued}"
        return {
            "access_token": token,
            "refresh_token": self.refresh_token,
            "token_type": "bearer",
            "expires_in": int(self.lifetime.total_seconds()),
            "scope": f"harvest:{self._account_id}",
        }
