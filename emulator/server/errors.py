"""Harvest's error answers, with status, body and headers as observed."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """Harvest answers the request with an error: a status, a JSON body and headers."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


_INVALID_TOKEN = {
    "error": "invalid_token",
    "error_description": ("The access token provided is expired, revoked, malformed or invalid for other reasons."),
}
_CHALLENGE = 'Bearer realm="Rack::OAuth2 Protected Resources", ' + ", ".join(
    f'{key}="{value}"' for key, value in _INVALID_TOKEN.items()
)


def invalid_token() -> RefusedError:
    """The token or the account id is wrong."""
    return RefusedError(401, _INVALID_TOKEN, {"WWW-Authenticate": _CHALLENGE})


def not_authorized() -> RefusedError:
    """The user may not read this."""
    return RefusedError(403, {"message": "Not authorized!"}, {"Hint": "Not authorized!"})


def not_found() -> RefusedError:
    """The record does not exist."""
    return RefusedError(404, {"status": 404, "error": "Not Found"})


def unprocessable(*messages: str) -> RefusedError:
    """A parameter is missing or invalid."""
    return RefusedError(422, {"message": ", ".join(messages)})


NO_SUCH_PAGE = """<!DOCTYPE html>
<html><head><title>Not found</title></head><body><h1>There is no such page.</h1></body></html>
"""
