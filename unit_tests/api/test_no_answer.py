"""A check ends soon where nothing answers, whatever it is that hangs, and says what to look at."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest

from emulator import Harvest
from source_harvest import source
from source_harvest.api.no_answer import NoAnswerError, NoAnswerLimit
from testing.in_process import check, sync
from testing.raw_server import RawServer, Request, head
from testing.waiting import LONGEST_WAIT

pytestmark = pytest.mark.slow

ADVICE = "check that api.harvestapp.com and id.getharvest.com can be reached from where the connector runs"
ACCOUNTS = {"accounts": [{"id": 1, "name": "Any", "product": "harvest"}]}


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "CHECK_SECONDS", 1.5)


@pytest.fixture
def over() -> Iterator[Event]:
    """Set when the test is over: what hangs until then ends."""
    event = Event()
    yield event
    event.set()


def checked(config: dict[str, Any]) -> tuple[bool, str]:
    """The result of a check; where that never ends, its thread is left behind, and dies with the process."""
    results: list[tuple[bool, str]] = []
    thread = Thread(target=lambda: results.append(check(config)), daemon=True)
    thread.start()
    thread.join(LONGEST_WAIT)
    [result] = results or [(True, "the check never ended")]
    return result


@contextmanager
def listening(*, accepts: bool) -> Iterator[int]:
    """The port of a server that takes connections, or leaves them waiting, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        held: list[socket.socket] = []
        if accepts:
            yield port
            return
        for _ in range(3):  # the queue is full then, and the next connection is not made
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].connect_ex(("127.0.0.1", port))
        yield port
        for waiting in held:
            waiting.close()


def leading_to(port: int, scheme: str = "http") -> dict[str, Any]:
    url = f"{scheme}://127.0.0.1:{port}"
    return {
        "credentials": {"auth_type": "Token", "api_token": "4711.pt.any"},
        "account_id": "1",
        "api_url": f"{url}/v2",
        "identity_url": url,
    }


def with_oauth(config: dict[str, Any]) -> dict[str, Any]:
    names = ("client_id", "client_secret", "refresh_token")
    return {**config, "credentials": {"auth_type": "Client", **{name: f"any-{name}" for name in names}}}


@pytest.mark.parametrize("oauth", [False, True])
@pytest.mark.parametrize(
    ("scheme", "accepts"), [("http", True), ("https", True), ("http", False)], ids=["silent", "no TLS", "no connection"]
)
def test_a_host_that_says_nothing(scheme: str, *, accepts: bool, oauth: bool) -> None:
    with listening(accepts=accepts) as port:
        config = leading_to(port, scheme)
        connected, message = checked(with_oauth(config) if oauth else config)
    assert not connected
    path = "api/v2/oauth2/token" if oauth else "api/v2/accounts"
    assert f"no answer came from {scheme}://127.0.0.1:{port}/{path} in 2 s" in message
    assert ADVICE in message


@pytest.mark.parametrize("oauth", [False, True])
def test_a_port_that_nobody_listens_at(*, oauth: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = leading_to(server.getsockname()[1])
    connected, message = checked(with_oauth(config) if oauth else config)
    assert not connected
    assert message.startswith(
        f"Harvest's {'access token' if oauth else 'list of accounts'} could not be read: no whole"
    )
    assert "Connection refused" in message
    assert ADVICE in message


def test_a_name_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    connected, message = checked(leading_to(1))
    assert not connected
    assert "Temporary failure in name resolution" in message
    assert ADVICE in message


def test_a_name_that_is_looked_up_for_ever(over: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: Any, **__: Any) -> None:
        over.wait(LONGEST_WAIT)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    connected, message = checked(leading_to(1))
    assert not connected
    assert "no answer came from http://127.0.0.1:1/api/v2/accounts in 2 s" in message
    assert ADVICE in message


DRIPS = {
    "a head": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "a body": head("Content-Length: 1000000"),
    "a body of an error": head("Content-Length: 1000000").replace(b"200 OK", b"503 No"),
}


def until_over(server: Callable[[], RawServer], drip: bytes) -> Callable[[Request], None]:
    def answer(request: Request) -> None:
        request.send(drip)
        while not server().over.wait(0.1):
            request.send(b" ")

    return answer


@pytest.mark.parametrize("what", DRIPS)
@pytest.mark.parametrize("answered", [[], ["accounts"]])
def test_an_answer_that_drips(answered: list[str], what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drip = until_over(lambda: server, DRIPS[what])

    def answer(request: Request) -> None:
        if request.path.rpartition("/")[2] in answered:
            request.answer(ACCOUNTS)
        else:
            drip(request)

    seconds = 6 if answered else 2  # a busy machine has time for the first answer
    monkeypatch.setattr(source, "CHECK_SECONDS", seconds)
    with RawServer(answer) as server:
        connected, message = checked(server.config)
    assert not connected
    asked = f"{server.config['api_url']}/users/me" if answered else f"{server.config['identity_url']}/api/v2/accounts"
    assert f"no answer came from {asked} in {seconds} s" in message


def test_lists_that_say_nothing_are_told_and_the_check_succeeds(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The credentials are known to be good by then."""
    monkeypatch.setattr(source, "CHECK_SECONDS", 6)
    harvest.faults.add(path="/v2/(clients|roles)$", kind="hang", times=None)
    assert checked(config) == (True, "")
    for name in ("clients", "roles", "user_roles"):
        assert f"The stream {name} cannot be read." in caplog.text


def test_a_rate_limit_is_waited_for(harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A 429 is an answer, and so is each one after it, whatever time they take together."""
    monkeypatch.setattr(source, "CHECK_SECONDS", 6)
    harvest.faults.add(path="/users/me$", status=429, headers={"retry-after": "4"}, times=2)
    assert checked(config) == (True, "")


def test_a_slow_harvest_is_waited_for_as_long_as_it_answers(
    harvest: Harvest, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer takes too long, though all together do."""
    monkeypatch.setattr(source, "CHECK_SECONDS", 6)
    harvest.faults.add(kind="slow", seconds=0.3, times=None)
    assert checked({**config, "num_workers": 1}) == (True, "")
    assert len(harvest.requests) > 20


def test_a_sync_asks_as_often_as_before(harvest: Harvest, config: dict[str, Any], naps: list[float]) -> None:
    harvest.faults.add(path="/clients$", kind="reset", times=5)
    assert sync(config, ["clients"]).statuses == {"clients": "COMPLETE"}
    assert naps[:5] == [1, 2, 4, 8, 16]


def test_time_counts_only_while_an_answer_is_awaited(naps: list[float]) -> None:
    limit = NoAnswerLimit(10)
    naps.append(100)
    assert not limit.is_over
    with limit.awaiting("first"):
        naps.append(9)
        with limit.awaiting("second"):
            naps.append(0.5)
        naps.append(9)  # the second answer came
        assert not limit.is_over
        naps.append(1)
        assert limit.is_over
    naps.append(100)
    assert not limit.is_over
    with suppress(OSError), limit.awaiting("first"):
        raise OSError
    naps.append(10)  # before it is sent again
    assert limit.is_over
    with pytest.raises(ValueError, match="why"):
        limit.note(ValueError("why"))
    with pytest.raises(NoAnswerError):
        limit.wait_for(Event().wait)
