"""Harvest's two sites, the API and the identity service, as one application."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from emulator.account.fields import ENDPOINTS
from emulator.server.errors import NO_SUCH_PAGE, RefusedError, invalid_token, not_found
from emulator.server.lists import page_of
from emulator.server.middleware import JSON, Door
from emulator.server.single_records import RECORDS, company, me, message_template, one_record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from starlette.requests import Request as Incoming

    from emulator.harvest import Harvest
    from emulator.server.middleware import TransportOf
    from emulator.server.permissions import Reader

    Answer = Callable[[Harvest, Reader, Incoming], bytes]


def application(harvest: Harvest, transport_of: TransportOf) -> Door:
    """The ASGI application that answers from the account."""
    answers: list[tuple[str, Answer]] = [
        ("/company", company),
        ("/users/me", me),
        ("/invoices/{parent}/messages/new", message_template),
        *((endpoint.path, partial(page_of, endpoint)) for endpoint in ENDPOINTS),
        *((path, partial(one_record, table)) for table, path in RECORDS),
    ]
    routes = [
        Route("/api/v2/oauth2/token", _token(harvest), methods=["POST"]),
        Route("/api/v2/accounts", _accounts(harvest)),
        *(Route(prefix + path, _api(harvest, answer)) for prefix in ("/v2", "/api/v2") for path, answer in answers),
    ]
    handlers: dict[Any, Any] = {RefusedError: _refused, 404: _no_such_page, 405: _no_such_page}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Door(app, harvest, transport_of)


def _api(harvest: Harvest, answer: Answer) -> Callable[[Incoming], Awaitable[Response]]:
    async def endpoint(incoming: Incoming) -> Response:
        if harvest.before_page is not None:
            harvest.before_page(incoming.scope["emulator.arrival"])
        with harvest.lock:
            reader = _reader(harvest, incoming)
            account_id = incoming.headers.get("harvest-account-id") or incoming.query_params.get("account_id")
            if not account_id:
                raise invalid_token()
            if account_id != str(harvest.account_id):
                raise invalid_token() if harvest.wrong_account_status == 401 else not_found()
            harvest.tick()
            return Response(answer(harvest, reader, incoming), media_type=JSON)

    return endpoint


def _reader(harvest: Harvest, incoming: Incoming) -> Reader:
    """Who asks. Raises `RefusedError` without a User-Agent or a valid token."""
    if not incoming.headers.get("user-agent"):
        raise RefusedError(400, {"message": "A User-Agent header is required"})
    scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = incoming.query_params.get("access_token", "")
    user_id = harvest.oauth.user_of(token, harvest.clock.now())
    if user_id is None:
        raise invalid_token()
    return harvest.reader(user_id)


def _accounts(harvest: Harvest) -> Callable[[Incoming], Awaitable[Response]]:
    async def endpoint(incoming: Incoming) -> Response:
        with harvest.lock:
            user = _reader(harvest, incoming).user
            shown = {key: user[key] for key in ("id", "first_name", "last_name", "email")}
            return Response(orjson.dumps({"user": shown, "accounts": harvest.accounts}), media_type=JSON)

    return endpoint


def _token(harvest: Harvest) -> Callable[[Incoming], Awaitable[Response]]:
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
