"""Harvest's API and its identity service, as one ASGI application."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from emulator.server.endpoints import ENDPOINTS
from emulator.server.errors import NO_SUCH_PAGE, RefusedError, invalid_token, not_found
from emulator.server.lists import page_of
from emulator.server.middleware import JSON, Middleware
from emulator.server.single_records import PARENTS, company, me, parent, time_off_balances

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from starlette.requests import Request as Incoming

    from emulator.server.hosted_account import HostedAccount
    from emulator.server.middleware import TransportOf
    from emulator.server.permissions import ApiUser

    Answer = Callable[[HostedAccount, ApiUser, Incoming], bytes]


def application(harvest: HostedAccount, transport_of: TransportOf) -> Middleware:
    """The ASGI application that answers from the account."""
    answers: list[tuple[str, Answer]] = [
        ("/company", company),
        ("/users/me", me),
        ("/pto/balances", time_off_balances),
        *((endpoint.path, partial(page_of, endpoint)) for endpoint in ENDPOINTS),
        *((f"/{table}/{{id}}", partial(parent, table)) for table in PARENTS),
    ]
    routes = [
        Route("/api/v2/oauth2/token", _token(harvest), methods=["POST"]),
        Route("/api/v2/accounts", _accounts(harvest)),
        *(Route(f"/v2{path}", _api(harvest, answer)) for path, answer in answers),
    ]
    handlers: dict[Any, Any] = {RefusedError: _refused, 404: _no_such_page, 405: _no_such_page}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Middleware(app, harvest, transport_of)


def _api(harvest: HostedAccount, answer: Answer) -> Callable[[Incoming], Awaitable[Response]]:
    async def endpoint(incoming: Incoming) -> Response:
        if harvest.before_page is not None:
            harvest.before_page(incoming.scope["emulator.request"])
        with harvest.lock:
            user = _user_of(harvest, incoming)
            account_id = incoming.headers.get("harvest-account-id") or incoming.query_params.get("account_id")
            if not account_id:
                raise invalid_token()
            if account_id != str(harvest.account_id):
                raise invalid_token() if harvest.wrong_account_status == 401 else not_found()
            harvest.tick()
            return Response(answer(harvest, user, incoming), media_type=JSON)

    return endpoint


def _user_of(harvest: HostedAccount, incoming: Incoming) -> ApiUser:
    """The user of the token. Raises `RefusedError` for a request without a User-Agent or a valid token."""
    if not incoming.headers.get("user-agent"):
        raise RefusedError(400, {"message": "A User-Agent header is required"})
    scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = incoming.query_params.get("access_token", "")
    user_id = harvest.oauth.user_of(token, harvest.clock.now())
    if user_id is None:
        raise invalid_token()
    return harvest.api_user(user_id)


def _accounts(harvest: HostedAccount) -> Callable[[Incoming], Awaitable[Response]]:
    async def endpoint(incoming: Incoming) -> Response:
        with harvest.lock:
            user = _user_of(harvest, incoming).row
            shown = {key: user[key] for key in ("id", "first_name", "last_name", "email")}
            return Response(orjson.dumps({"user": shown, "accounts": harvest.accounts}), media_type=JSON)

    return endpoint


def _token(harvest: HostedAccount) -> Callable[[Incoming], Awaitable[Response]]:
    async def endpoint(incoming: Incoming) -> Response:
        body = await incoming.body()
        try:
            is_json = "json" in incoming.headers.get("content-type", "")
            form = orjson.loads(body) if is_json else dict(parse_qsl(body.decode()))
        except ValueError:
            form = {}
        with harvest.lock:
            return Response(orjson.dumps(harvest.oauth.grant(form, harvest.clock.now())), media_type=JSON)

    return endpoint


async def _refused(_: Incoming, refused: RefusedError) -> Response:
    return Response(orjson.dumps(refused.body), refused.status, refused.headers, JSON)


async def _no_such_page(_: Incoming, __: Exception) -> Response:
    return HTMLResponse(NO_SUCH_PAGE, 404)
