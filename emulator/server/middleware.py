"""What every request passes before it is answered: the log of arrivals, faults, latency, rate limits, the date."""

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

from emulator.server.rate_limit import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from emulator.harvest import Harvest
    from emulator.server.faults import Fault

    TransportOf = Callable[[Scope], asyncio.Transport]

JSON = "application/json; charset=utf-8"


class Door:
    """The application as the network sees it."""

    def __init__(self, app: ASGIApp, harvest: Harvest, transport_of: TransportOf) -> None:
        self._app = app
        self._harvest = harvest
        self._transport_of = transport_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or break its connection."""
        harvest = self._harvest
        arrival = _arrival(scope)
        harvest.requests.append(arrival)
        if harvest.latency:
            await asyncio.sleep(harvest.latency)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                arrival.status = message["status"]
                if harvest.date_header:
                    date = format_datetime(harvest.clock.now(), usegmt=True).encode()
                    message = {**message, "headers": [*message["headers"], (b"date", date)]}
            await send(message)

        scope["emulator.arrival"] = arrival
        fault = harvest.faults.take(arrival)
        wait = self._wait(arrival.path)
        if fault is not None:
            await self._fail(fault, scope, receive, answer)
        elif wait:
            headers = {"Retry-After": str(wait)} if harvest.retry_after else {}
            await _respond(answer, 429, orjson.dumps({"message": "Too many requests"}), headers)
        else:
            await self._app(scope, receive, answer)

    def _wait(self, path: str) -> int:
        harvest = self._harvest
        if not harvest.limits or "/v2/" not in path or path in IDENTITY_PATHS:
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
            await _gone(receive)
        elif fault.kind == "reset":
            _reset(self._transport_of(scope))
            await _gone(receive)
        else:
            await self._cut(scope, receive, answer)

    async def _cut(self, scope: Scope, receive: Receive, answer: Send) -> None:
        """Send the true headers with the true length, half of the body, and close."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, keep)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        await answer(messages[0])
        await answer({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        self._transport_of(scope).close()
        await _gone(receive)


IDENTITY_PATHS = {"/api/v2/accounts", "/api/v2/oauth2/token"}


def _arrival(scope: Scope) -> Request:
    query = dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True))
    headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, time.monotonic())


async def _respond(answer: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    sent = {"content-length": str(len(body)), **{key.lower(): value for key, value in headers.items()}}
    pairs = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in sent.items()]
    await answer({"type": "http.response.start", "status": status, "headers": pairs})
    await answer({"type": "http.response.body", "body": body})


async def _gone(receive: Receive) -> None:
    """Wait until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _reset(transport: asyncio.Transport) -> None:
    """End the connection with RST in place of FIN."""
    sock: socket.socket = transport.get_extra_info("socket")
    with suppress(OSError):  # the client may be gone already
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
