"""How much of Harvest's answers is in memory at one time, and that nobody waits for ever for it."""

import weakref
from threading import Event, Thread
from typing import Any

import pytest

from source_harvest.api import request_slots, session
from source_harvest.api.memory import MemoryHold, MemoryLimit
from source_harvest.api.request_slots import RequestSlots, SyncAbortedError
from source_harvest.sync import engine
from testing.in_process import sync
from testing.raw_server import RawServer, Request
from testing.waiting import LONGEST_WAIT

ROWS = 20
"""On each page of these tests."""
BODY = 200_000
"""Bytes of each page, at least."""


def limit(most: int = 100, share: int = 10) -> MemoryLimit:
    return MemoryLimit(most, share, lambda: None)


def taking(hold: MemoryHold, size: int) -> tuple[Thread, Event]:
    """Takes as much in a thread of its own; the event says that it was let."""
    done = Event()

    def take() -> None:
        hold.take(size)
        done.set()

    thread = Thread(target=take, daemon=True)
    thread.start()
    return thread, done


def test_one_may_always_go_on_and_another_waits_for_it() -> None:
    memory = limit()
    first, second, third = MemoryHold(memory), MemoryHold(memory), MemoryHold(memory)
    first.take(100)
    second.take(1_000)
    second.take(1_000)
    thread, done = taking(third, 50)
    assert not done.wait(0.1)
    second.close()
    assert done.wait(LONGEST_WAIT)
    thread.join()


def test_who_holds_little_never_waits() -> None:
    memory = limit()
    first, second, small = MemoryHold(memory), MemoryHold(memory), MemoryHold(memory)
    first.take(100)
    second.take(1_000)
    small.take(10)
    thread, done = taking(small, 1)
    assert not done.wait(0.1)
    second.close()
    assert done.wait(LONGEST_WAIT)
    thread.join()


def test_a_sync_that_is_given_up_ends_the_wait() -> None:
    gate = RequestSlots(1)
    MemoryHold(gate.bodies).take(1_000_000_000)
    waiting = MemoryHold(gate.bodies)
    ended = Event()

    def wait() -> None:
        with pytest.raises(SyncAbortedError):
            waiting.take(1_000_000_000)
        ended.set()

    Thread(target=wait, daemon=True).start()
    gate.close()
    assert ended.wait(LONGEST_WAIT)
    with pytest.raises(SyncAbortedError):
        MemoryHold(gate.bodies).take(1)


class RowList(list[Any]):
    """The rows of one page, of which it can be told whether they are still in memory."""


class Live:
    """What of the answers is in memory, seen whenever one of them is parsed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most_rows = self.most_bytes = 0
        self._answers: list[weakref.ref[session.JsonResponse]] = []
        self._lists: list[weakref.ref[RowList]] = []
        parsed, begin = session.parsed, session.JsonResponse.__init__

        def seen(content: bytes, charset: str | None) -> tuple[Any, bool]:
            body, is_mended = parsed(content, charset)
            for name in [name for name, value in body.items() if isinstance(value, list)]:
                body[name] = RowList(body[name])
                self._lists.append(weakref.ref(body[name]))
            self._look()
            return body, is_mended

        def begun(answer: session.JsonResponse) -> None:
            begin(answer)
            self._answers.append(weakref.ref(answer))

        monkeypatch.setattr(session, "parsed", seen)
        monkeypatch.setattr(session.JsonResponse, "__init__", begun)

    def _look(self) -> None:
        lists = [rows for ref in self._lists if (rows := ref()) is not None]
        answers = [answer for ref in self._answers if (answer := ref()) is not None]
        self.most_rows = max(self.most_rows, sum(map(len, lists)))
        self.most_bytes = max(self.most_bytes, sum(len(answer._content or b"") for answer in answers))


def test_many_readers_hold_a_few_pages_whatever_they_wait_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["clients", "contacts", "tasks", "projects", "users", "expense_categories"]
    names += ["invoice_item_categories", "estimate_item_categories", "roles", "expenses", "invoices", "estimates"]
    monkeypatch.setattr(request_slots, "UNPACKED", 2 * BODY + BODY // 2)
    monkeypatch.setattr(request_slots, "BODIES", 3 * BODY)
    monkeypatch.setattr(engine, "QUEUE_SIZE", 2)
    live = Live(monkeypatch)

    def answer(request: Request) -> None:
        number = int(request.query.get("page", 1))
        first = number * ROWS
        rows = [
            {"id": first + i, "name": "n" * (BODY // ROWS), "user_ids": [], "line_items": [], "spent_date": None}
            for i in range(ROWS)
        ]
        next_url = f"{server.config['api_url']}/{request.path}?page={number + 1}" if number < 4 else None
        request.answer({request.path: rows, "total_entries": 4 * ROWS, "links": {"next": next_url}})

    with RawServer(answer) as server:
        result = sync({**server.config, "num_workers": 12}, names)
    assert result.counts == dict.fromkeys(names, 4 * ROWS)
    assert live.most_rows <= 3 * ROWS
    # All that there is room for, one body more, and of each reader its share.
    assert live.most_bytes <= 3 * BODY + 2 * BODY + 12 * (3 * BODY // 12 + session.PIECE)
