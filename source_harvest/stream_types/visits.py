"""How far the visits to the parents of a child stream are, and when a checkpoint is due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from itertools import islice
from threading import Lock

logger = logging.getLogger("airbyte")

# A checkpoint is due after this many visits, or at the first visit that ends after this many seconds.
VISITS_PER_CHECKPOINT = 10
SECONDS_PER_CHECKPOINT = 5
# At most this many parents before the last one of a checkpoint may be unvisited: unfinished or failed.
MOST_OPEN = 100
# Seconds between two log lines about the progress.
SECONDS_PER_LINE = 30


class VisitProgress:
    """How far the visits are. They begin in ascending order of ids, and run in several threads."""

    def __init__(
        self, name: str, parent_ids: list[int], due_again: Iterable[int], save: Callable[[int, tuple[int, ...]], None]
    ) -> None:
        """`due_again`: those that were left for this sync. `save` makes a checkpoint: all up to one, except these."""
        self._name = name
        self._ids = parent_ids
        self._due_again = set(due_again)
        self._save = save
        self._done: set[int] = set()
        self.left: set[int] = set()
        """The parents that are left for the next sync, as their children are unknown."""
        self._lock = Lock()
        self._in_order = 0  # the first parents that were visited without a gap
        self._saved = 0
        self._began = self._logged = self._saved_at = time.monotonic()

    def visited(self, parent_id: int) -> None:
        """A parent was visited to its end. Calls `save` if a checkpoint is due."""
        with self._lock:
            self._done.add(parent_id)
            now = time.monotonic()
            self._log(now)
            is_due = now - self._saved_at >= SECONDS_PER_CHECKPOINT
            if is_due or len(self._done) - self._saved >= VISITS_PER_CHECKPOINT:
                self._saved, self._saved_at = len(self._done), now
                up_to_parent, open_ids = self._reached()
                if up_to_parent:
                    self._save(up_to_parent, tuple(sorted(self.left.union(open_ids, self._due_again - self._done))))

    def leave(self, parent_id: int, most: int) -> bool:
        """Leaves a parent for the next sync; false if `most` are left already."""
        with self._lock:
            has_room = len(self.left) < most
            if has_room:
                self.left.add(parent_id)
            return has_room

    def _reached(self) -> tuple[int, list[int]]:
        """How far a checkpoint may go: a visited parent, and the parents with lower ids that are not visited yet.

        It is the visited parent with the highest id that has at most `MOST_OPEN` unvisited ones before it.
        """
        open_before, open_ids = 0, list[int]()
        while self._in_order < len(self._ids) and self._ids[self._in_order] in self._done:
            self._in_order += 1
        up_to_parent = self._ids[self._in_order - 1] if self._in_order else 0
        for id_ in islice(self._ids, self._in_order, None):
            if id_ in self._done:
                up_to_parent, open_before = id_, len(open_ids)
            elif len(open_ids) == MOST_OPEN:
                break
            else:
                open_ids.append(id_)
        return up_to_parent, open_ids[:open_before]

    def _log(self, now: float) -> None:
        if now - self._logged < SECONDS_PER_LINE:
            return
        self._logged = now
        done, total = len(self._done), len(self._ids)
        minutes = (now - self._began) / done * (total - done) / 60
        logger.info("%s: %d of %d parents visited, minutes left: about %.0f", self._name, done, total, minutes)
