"""The HTTP session: each successful response is JSON, comes in time, and fits into memory."""

from contextlib import ExitStack, closing
from typing import Any

import orjson
import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidJSONError
from typing_extensions import override
from urllib3 import BaseHTTPResponse
from urllib3.connectionpool import ConnectionPool, HTTPConnectionPool, HTTPSConnectionPool

from source_harvest.api.deadline import TimedConnection, TimedTlsConnection
from source_harvest.api.json_text import parsed
from source_harvest.api.memory import MemoryHold
from source_harvest.api.no_answer import NoAnswerLimit
from source_harvest.api.request_slots import RequestSlots
from source_harvest.errors import MOST_QUOTED, redacted

# The largest body that is read, in bytes after decompression.
LARGEST_BODY = 64_000_000

# Bodies are read in chunks of so many bytes, each of which is counted before the next is read.
PIECE = MOST_QUOTED


class TooLargeError(requests.RequestException):
    """A body is larger than `LARGEST_BODY`."""


class JsonResponse(requests.Response):
    """A response whose JSON body is parsed once. Close it when the body is no longer needed."""

    def __init__(self) -> None:
        super().__init__()
        self._unpacked: MemoryHold | None = None
        self.awaited = ExitStack()
        """Closed when the body was read; the wait for the response ends then."""
        self.body: Any = None
        """The parsed body of a success, until the response is closed."""
        self.is_mended = False
        """Whether text in the body was replaced because UTF-8 cannot hold it."""
        self.meaning: Any = None
        """What the `Read` function of the request made of the body."""

    def receive(self, slots: RequestSlots) -> None:
        """Reads the body; that of a success is parsed too, as soon as there is room in memory.

        Raises as `JsonSession.send`.
        """
        if self.status_code != 200:
            with self.awaited:
                self._content = self._first_chunk()
            return
        with closing(MemoryHold(slots.bodies)) as held:
            with self.awaited:
                self._read(held)
            self._unpacked = MemoryHold(slots.unpacked)
            self._unpacked.take(held.size)
            try:
                self.body, self.is_mended = parsed(self.content, self.encoding)
            except orjson.JSONDecodeError as error:
                kind = "an HTML page" if is_html(self) else "not JSON"
                raise InvalidJSONError(f"the answer was {kind}", request=self.request) from error
            self._content = b""  # frees the raw body

    @override
    def close(self) -> None:
        """Also frees the body, as an error may keep the response alive."""
        self.meaning = self.body = None
        self._content = b""
        if self._unpacked:
            self._unpacked.close()
        self.awaited.close()
        super().close()

    def _read(self, held: MemoryHold) -> None:
        content = self._content = bytearray()  # type: ignore[assignment] # used like bytes
        for chunk in self.iter_content(PIECE):
            if held.size + len(chunk) > LARGEST_BODY:
                raise TooLargeError(f"its body is larger than {LARGEST_BODY // 1_000_000} MB", request=self.request)
            held.take(len(chunk))
            content += chunk

    def _first_chunk(self) -> bytes:
        """The first chunk of a body that is only quoted. If there is more, the connection is not used again."""
        body = b""
        for chunk in self.iter_content(PIECE):
            body += chunk
            if len(body) > PIECE:
                self.close()
                break
        return body[:PIECE]


class JsonAdapter(HTTPAdapter):
    """Makes each response of a `requests.Session` a `JsonResponse` with a time limit."""

    @override
    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> JsonResponse:
        response = JsonResponse()
        response.__dict__.update(super().build_response(req, resp).__dict__)
        return response

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPConnectionPool):
            pool.ConnectionCls = TimedTlsConnection if isinstance(pool, HTTPSConnectionPool) else TimedConnection
        return pool


class JsonSession(requests.Session):
    """A session whose successful responses are always JSON, without credentials unless its `auth` is set."""

    def __init__(self, slots: RequestSlots, no_answer: NoAnswerLimit) -> None:
        """Keeps a connection open for each of the `slots`, which also limit the memory of the bodies."""
        super().__init__()
        # Without any `auth`, requests would take credentials from the user's netrc file or the URL.
        self.auth = lambda request: request
        self._slots = slots
        self._no_answer = no_answer
        for scheme in ("https://", "http://"):
            self.mount(scheme, JsonAdapter(pool_maxsize=slots.width))

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # none is followed; to look at one, requests would read its whole body

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Sends a request and reads the response.

        Raises `requests.exceptions.InvalidJSONError` if a success is not JSON: if returned, it would be logged whole.
        Raises `TooLargeError`, and `SyncAbortedError` once `slots` is closed.
        """
        response = json_response(self.ask(request, **{**kwargs, "stream": True}))
        try:
            response.receive(self._slots)
        except BaseException:
            response.close()
            raise
        return response

    def ask(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Sends a request; the body of the response is not read yet."""
        with ExitStack() as awaited:
            awaited.enter_context(self._no_answer.awaiting(str(request.url)))
            response = json_response(super().send(request, **kwargs))
            response.awaited = awaited.pop_all()
            return response


def json_response(response: requests.Response) -> JsonResponse:
    """The response as what each response of a `JsonSession` is."""
    if not isinstance(response, JsonResponse):
        raise TypeError(f"an answer is expected, not a {type(response).__name__}")
    return response


def object_of(response: requests.Response) -> dict[str, Any]:
    """The JSON object in a successful response. Raises `ValueError` if it is none."""
    body = json_response(response).body
    if not isinstance(body, dict):
        raise ValueError(f"it is no object, but {'null' if body is None else type(body).__name__}")
    return body


def is_html(response: requests.Response) -> bool:
    """Whether a response is an HTML page, such as a proxy sends."""
    return b"<html" in response.content[:500].lower()


def quote(response: requests.Response) -> str:
    """What Harvest said in a failed response, as one short line without secrets."""
    try:
        body = orjson.loads(response.content)
        text = body.get("message") or body.get("error_description") or body.get("error")
    except (orjson.JSONDecodeError, AttributeError):
        text = "an HTML page" if is_html(response) else response.text
    return redacted(str(text or "no message"), is_broken_off=len(response.content) >= MOST_QUOTED) or "no message"
