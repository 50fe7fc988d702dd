"""The HTTP session: each successful answer is JSON, comes in time, and is no larger than memory has room for."""

import re
from contextlib import ExitStack
from functools import cached_property
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
from source_harvest.api.quoting import is_html
from source_harvest.api.request_slots import RequestSlots
from source_harvest.errors import MOST_QUOTED

# No body larger than this, unpacked, is taken into memory.
LARGEST_BODY = 64_000_000

# Bodies are read in pieces of so many bytes, each of which is counted before the next one is read.
PIECE = MOST_QUOTED


class TooLargeError(requests.RequestException):
    """A body is larger than any that is taken into memory."""


class JsonResponse(requests.Response):
    """A response whose JSON body is parsed once, however many ask for it.

    It is to be closed when nobody needs the body any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self._unpacked: MemoryHold | None = None
        self.awaited = ExitStack()
        """Open until the body was read."""
        self.is_mended = False
        """Whether the body held text that no UTF-8 can hold."""
        self.meaning: Any = None
        """What the body is, as whoever asked for it understood it."""

    @cached_property
    def body(self) -> Any:
        """The parsed body.

        Raises `orjson.JSONDecodeError` where it is not JSON.
        """
        body, self.is_mended = parsed(self.content, self._charset)
        self._content = b""  # needed no more, and as large as what came of it
        return body

    def receive(self, slots: RequestSlots) -> None:
        """Reads the body; that of a success is parsed at once, where there is room for that.

        Raises as `JsonSession.send`.
        """
        if self.status_code != 200:
            with self.awaited:
                self._content = self._beginning()
            return
        with MemoryHold(slots.bodies) as held:
            with self.awaited:
                self._read(held)
            self._unpacked = MemoryHold(slots.unpacked)
            self._unpacked.take(held.size)
            try:
                body_of(self)
            except orjson.JSONDecodeError as error:
                kind = "an HTML page" if is_html(self) else "not JSON"
                raise InvalidJSONError(f"the answer was {kind}", request=self.request) from error

    @override
    def close(self) -> None:
        """Also forgets the body: an error that is told later may still lead to the answer."""
        self.meaning, self._content = None, b""
        self.__dict__.pop("body", None)
        if self._unpacked:
            self._unpacked.give_back()
        self.awaited.close()
        super().close()

    def _read(self, held: MemoryHold) -> None:
        content = self._content = bytearray()  # type: ignore[assignment] # bytes in all that is done with it
        for piece in self.iter_content(PIECE):
            if held.size + len(piece) > LARGEST_BODY:
                raise TooLargeError(f"its body is larger than {LARGEST_BODY // 1_000_000} MB", request=self.request)
            held.take(len(piece))
            content += piece

    def _beginning(self) -> bytes:
        """Of what is only quoted, not more than a piece; where there is more, the connection is not used again."""
        body = b""
        for piece in self.iter_content(PIECE):
            body += piece
            if len(body) > PIECE:
                self.close()
                break
        return body[:PIECE]

    @property
    def _charset(self) -> str | None:
        """The encoding that it declares."""
        found = re.search(r"""charset\s*=\s*["']?([\w.:-]+)""", self.headers.get("content-type", ""), re.IGNORECASE)
        return found[1] if found else None


class JsonAdapter(HTTPAdapter):
    """Makes each response of a `requests.Session` an `JsonResponse`, which has to come in time."""

    @override
    def build_response(self, req: requests.PreparedRequest, resp: BaseHTTPResponse) -> JsonResponse:
        answer = JsonResponse()
        answer.__dict__.update(super().build_response(req, resp).__dict__)
        return answer

    @override
    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> ConnectionPool:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        if isinstance(pool, HTTPConnectionPool):
            pool.ConnectionCls = TimedTlsConnection if isinstance(pool, HTTPSConnectionPool) else TimedConnection
        return pool


def _add_no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Where a session has no authentication at all, requests takes one from the user's netrc file, or the address."""
    return request


class JsonSession(requests.Session):
    """A session whose successful answers are JSON, for certain.

    Credentials come from whoever made it, and from nowhere else.
    """

    def __init__(
        self, connections: int = 1, slots: RequestSlots | None = None, no_answer: NoAnswerLimit | None = None
    ) -> None:
        """Keeps so many `connections` open. The `slots` says what there is room for in memory."""
        super().__init__()
        self.auth = _add_no_credentials
        self._slots = slots or RequestSlots(connections)
        self.no_answer = no_answer or NoAnswerLimit()
        for scheme in ("https://", "http://"):
            self.mount(scheme, JsonAdapter(pool_maxsize=connections))

    @override
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # none is followed; to look at one, requests would read its body, however large

    @override
    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer.

        Raises `requests.exceptions.InvalidJSONError` where a success is not JSON: a response would be logged whole.
        Raises `TooLargeError`, and `SyncAbortedError` once the slots is closed.
        """
        response = self.ask(request, **{**kwargs, "stream": True})
        if not isinstance(response, JsonResponse):
            raise TypeError(f"an answer is expected, not a {type(response).__name__}")
        try:
            response.receive(self._slots)
        except BaseException:
            response.close()
            raise
        return response

    def ask(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer, of which the body was not read yet."""
        with ExitStack() as awaited:
            awaited.enter_context(self.no_answer.awaiting(str(request.url)))
            response = super().send(request, **kwargs)
            if isinstance(response, JsonResponse):
                response.awaited = awaited.pop_all()
            return response


def body_of(response: requests.Response) -> Any:
    """The JSON body of a response that an `JsonAdapter` built.

    Raises `orjson.JSONDecodeError` where it is not JSON.
    """
    if not isinstance(response, JsonResponse):
        raise TypeError(f"an answer is expected, not a {type(response).__name__}")
    return response.body


def object_of(response: requests.Response) -> dict[str, Any]:
    """The JSON object that a successful answer is.

    Raises `ValueError`.
    """
    body = body_of(response)
    if not isinstance(body, dict):
        raise ValueError(f"it is no object, but {'null' if body is None else type(body).__name__}")
    return body
