"""What happens to every request around its answer: the log, latency, faults, rate limits and the `Date` header."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from contextlib import suppress
from email.utils import format_datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson

from emulator.server.request_log import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from emulator.server.faults import Fault
    from emulator.server.hosted_account import HostedAccount

    TransportOf = Callable[[Scope], asyncio.Transport]

JSON = "application/json; charset=utf-8"


class Middleware:
    """The application with its faults, limits and log."""

    def __init__(self, app: ASGIApp, harvest: HostedAccount, transport_of: TransportOf) -> None:
        self._app = app
        self._harvest = harvest
        self._transport_of = transport_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or break its connection."""
        harvest = self._harvest
        request = _request_of(scope)
        harvest.requests.append(request)
        if harvest.latency:
            await asyncio.sleep(harvest.latency)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.status = message["status"]
                if harvest.date_header:
                    date = format_datetime(harvest.clock.now(), usegmt=True).encode()
                    message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        scope["emulator.request"] = request
        fault = harvest.faults.take(request)
        wait = self._wait(request.path)
        if fault is not None:
            await self._fail(fault, scope, receive, answer)
        elif wait:
            headers = {"Retry-After": str(wait)} if harvest.retry_after else {}
            await _respond(answer, 429, orjson.dumps({"message": "Too many requests"}), headers)
        else:
            await self._app(scope, receive, answer)

    def _wait(self, path: str) -> int:
        harvest = self._harvest
        if not (harvest.limits and path.startswith("/v2/")):
            return 0
        if "/reports/" in path:
            return harvest.windows["reports"].wait(harvest.report_limit)
        return harvest.windows["general"].wait(harvest.general_limit)

    async def _fail(self, fault: Fault, scope: Scope, receive: Receive, answer: Send) -> None:
        if fault.kind == "status":
            await _respond(answer, fault.status, fault.body, {"content-type": JSON, **fault.headers})
        elif fault.kind == "broken_json":
            await _respond(answer, fault.status, fault.body or b'{"clients":[{"id":1,', {"content-type": JSON})
        elif fault.kind == "html":
            body = fault.body or b"<!DOCTYPE html><html><body>Back soon</body></html>"
            await _respond(answer, fault.status, body, {"content-type": "text/html", **fault.headers})
        elif fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, answer)
        elif fault.kind == "hang":
            await _disconnected(receive)
        elif fault.kind == "reset":
            _reset(self._transport_of(scope))
            await _disconnected(receive)
        else:
            await self._cut(scope, receive, answer)

    async def _cut(self, scope: Scope, receive: Receive, answer: Send) -> None:
        """Send the headers of the whole answer and half of its body, and close the connection."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        await answer(messages[0])
        await answer({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        self._transport_of(scope).close()
        await _disconnected(receive)


def _request_of(scope: Scope) -> Request:
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, time.monotonic())


async def _respond(answer: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    sent = {"content-length": str(len(body)), **{key.lower(): value for key, value in headers.items()}}
    pairs = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in sent.items()]
    await answer({"type": "http.response.start", "status": status, "headers": pairs})
    await answer({"type": "http.response.body", "body": body})


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(transport: asyncio.Transport) -> None:
    """Close the connection with RST instead of FIN."""
    sock: socket.socket = transport.get_extra_info("socket")
    with suppress(OSError):  # the client may have closed it already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
