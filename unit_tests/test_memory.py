"""How much of Harvest's answers is in memory at one time, and that nobody waits for ever for it."""

from threading import Event, Thread

import pytest

from source_harvest.gate import Gate, SyncGivenUpError
from source_harvest.memory import MemoryHold, MemoryLimit


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
    second.give_back()
    assert done.wait(60)
    thread.join()


def test_who_holds_little_never_waits() -> None:
    memory = limit()
    first, second, small = MemoryHold(memory), MemoryHold(memory), MemoryHold(memory)
    first.take(100)
    second.take(1_000)
    small.take(10)
    thread, done = taking(small, 1)
    assert not done.wait(0.1)
    second.give_back()
    assert done.wait(60)
    thread.join()


def test_a_sync_that_is_given_up_ends_the_wait() -> None:
    gate = Gate(1)
    MemoryHold(gate.bodies).take(1_000_000_000)
    waiting = MemoryHold(gate.bodies)
    ended = Event()

    def wait() -> None:
        with pytest.raises(SyncGivenUpError):
            waiting.take(1_000_000_000)
        ended.set()

    Thread(target=wait, daemon=True).start()
    gate.close()
    assert ended.wait(60)
    with pytest.raises(SyncGivenUpError):
        MemoryHold(gate.bodies).take(1)
