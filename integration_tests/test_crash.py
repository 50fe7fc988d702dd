"""The deep property: whatever changes at Harvest, and whenever the connector is killed, no row is lost.

`CRASH_SEEDS=300 pytest integration_tests/test_crash.py` tries that many stories of changes, kills and page sizes.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import Self

from demo.loader import Warehouse
from emulator import Harvest, Server
from emulator.account.changes import PARENT_KEYS
from emulator.account.state import CHILDREN
from emulator.account.timestamps import stamp
from source_harvest.state.date_range import DateRange
from source_harvest.streams import STREAMS
from testing.command_line import Message, configured
from testing.comparisons import flat
from testing.configs import BY_YEAR, config_of
from testing.destinations import DuckDBDestination, InMemoryDestination
from testing.expected_reports import Row, is_zero
from testing.expected_tables import identity, tables
from testing.streams import DELETED, REPORTS, WHOLE, stream_name

SEEDS = range(int(os.environ.get("CRASH_SEEDS", "4")))

# Loading the connector takes seconds, so one process loads it and forks: each `read` still is a process of its own
# that can be killed. In it
# - Harvest's limit of requests is so high that none waits for it, and waits after faults are short;
# - a small account has the checkpoints of a large one: one after three parents visited;
# - lines leave as they are written, not in lots of hundreds, so that a kill comes between any two.
LAUNCHER = """
import json, os, signal, sys, time
import source_harvest.api.rate_limit, source_harvest.entrypoint, source_harvest.run, source_harvest.stream_types.visits

source_harvest.api.rate_limit.REQUESTS = 10**6
source_harvest.stream_types.visits.VISITS_PER_CHECKPOINT = 3
source_harvest.output.LINES_AT_ONCE = 1
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.01))

while order := sys.stdin.readline():
    output, *sys.argv[1:] = json.loads(order)
    if not (child := os.fork()):
        os.dup2(os.open(output, os.O_WRONLY), 1)
        source_harvest.run.run()
        break
    if sys.stdin.readline() != "it has ended\\n":
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Connector:
    """The connector's command line; one command at a time."""

    def __enter__(self) -> Self:
        self.exit_code = 0
        self._launcher = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._launcher.communicate()

    def lines(self, folder: Path, command: str, kill_after: int | None = None, **files: object) -> Iterator[str]:
        """The lines of a command's output: all, or so many, after which it is killed, and what it had written by then.

        Closing this early kills it too.
        """
        arguments = [command]
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
            arguments += [f"--{name}", str(folder / f"{name}.json")]
        pipe = folder / "output"
        if not pipe.exists():
            os.mkfifo(pipe)
        self._order(json.dumps([str(pipe), *arguments]))
        ending = "kill it"
        try:
            with pipe.open(encoding="utf-8") as output:
                for number, line in enumerate(output):
                    if number == kill_after:
                        self._order(ending)
                        ending = ""
                    if line.endswith("\n"):
                        yield line
                ending = ending and "it has ended"
        finally:
            if ending:
                self._order(ending)
            assert self._launcher.stdout is not None
            self.exit_code = int(self._launcher.stdout.readline())

    def _order(self, line: str) -> None:
        assert self._launcher.stdin is not None
        self._launcher.stdin.write(f"{line}\n")
        self._launcher.stdin.flush()


@pytest.fixture(scope="module")
def connector() -> Iterator[Connector]:
    with Connector() as connector:
        yield connector


@pytest.fixture(scope="module")
def streams(connector: Connector, tmp_path_factory: pytest.TempPathFactory) -> list[Message]:
    """All that the connector has."""
    config = {"credentials": {"auth_type": "Token", "api_token": "any"}}
    lines = connector.lines(tmp_path_factory.mktemp("discover"), "discover", config=config)
    [catalog] = [message for message in map(json.loads, lines) if message["type"] == "CATALOG"]
    found: list[Message] = catalog["catalog"]["streams"]
    return found


# How the connector says that it has not seen all of a list.
INCOMPLETE = re.compile(r'"(?P<name>\w+): \d+ entries (were found|announced)')


class DestinationDiedError(Exception):
    """With the connector, before it wrote what came after the last states."""


TEXTS = {
    "clients": "name",
    "contacts": "first_name",
    "projects": "name",
    "tasks": "name",
    "users": "first_name",
    "roles": "name",
    "invoices": "subject",
    "estimates": "subject",
    "expenses": "notes",
    "time_entries": "notes",
    "expense_categories": "name",
    "invoice_item_categories": "name",
    "estimate_item_categories": "name",
}
DATES = {"time_entries": "spent_date", "expenses": "spent_date", "invoices": "issue_date", "estimates": "issue_date"}
MESSAGES = {"invoices": "invoice_messages", "estimates": "estimate_messages"}
# What was deleted -> the tables that forget it, and by which name they knew it.
FORGETFUL = {
    "user_assignments": (("time_entries", "user_assignment"), ("expenses", "user_assignment")),
    "task_assignments": (("time_entries", "task_assignment"),),
    "estimates": (("invoices", "estimate"),),
}
# The streams whose first reads are long, and so are cut into spans or parents.
LONG = ["time_entries", "time_entry_external_reference", "expenses", "invoices", "invoice_payments", "estimates"]


@dataclass
class People:
    """Who work in the account: each change is one that somebody can make in Harvest, and moves what it moves there."""

    harvest: Harvest
    chance: random.Random
    silent: defaultdict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    """Table and id -> the columns that changed without a trace, so that nobody can know what they hold now."""
    told: list[str] = field(default_factory=list)
    """All that happened, in order, for whoever looks for what went wrong."""

    def change(self, times: int = 1) -> None:
        """Any changes, of which some show in the lists up to 40 s later than their time says (B65)."""
        changes: list[Callable[[], object]] = [
            *[self._create, self._edit, self._move] * 4,
            *[self._remind, self._pay, self._correct, self._archive, self._remove] * 2,
            *[self._assign, self._itemise, self._staff, self._raise, self._link, self._hand_over, self._reprice],
        ]
        with self.harvest.lock:
            for _ in range(times):
                self.chance.choice(changes)()

    def _add(self, table: str, **values: Any) -> None:
        self._tell("add", table, self.harvest.add(table, **values), values)

    def _update(self, table: str, row: Row, **values: Any) -> None:
        self._tell("update", table, row["id"], values)
        self.harvest.update(table, row["id"], updated_at=max(row["updated_at"], self._late()), **values)

    def _delete(self, table: str, row: Row) -> None:
        self._tell("delete", table, row["id"], {})
        self.harvest.delete(table, row["id"])

    def _tell(self, verb: str, table: str, row_id: int, values: Row) -> None:
        self.told.append(f"{self.harvest.clock.now():%d %H:%M:%S} {verb} {table} {row_id} {values}")

    def _some(self, table: str, parent: int | None = None) -> Row | None:
        """Any row but the oldest, which the emulator falls back on."""
        rows = list(self.harvest.state.table(table, parent).rows.values())
        return self.chance.choice(rows if parent else rows[1:]) if len(rows) > (0 if parent else 4) else None

    def _late(self) -> str:
        return stamp(self.harvest.clock.now() - timedelta(seconds=self.chance.choice([0, 0, 5, 40])))

    def _day(self) -> str:
        days = self.chance.choice([0, 1, 5, 40, 400, -3])
        return (self.harvest.clock.now().date() - timedelta(days=days)).isoformat()

    def _create(self) -> None:
        table = self.chance.choice([*TEXTS, *DATES])
        dates = {DATES[table]: self._day()} if table in DATES else {}
        self._add(table, created_at=self._late(), **dates)

    def _edit(self) -> None:
        table = self.chance.choice([*TEXTS, *DATES])
        if row := self._some(table):
            self._update(table, row, **{TEXTS[table]: f"Edited {self.chance.random()}"})

    def _move(self) -> None:
        """To another day, and so to another place of its list."""
        table = self.chance.choice(list(DATES))
        if row := self._some(table):
            self._update(table, row, **{DATES[table]: self._day()})

    def _remind(self) -> None:
        """A message that its parent does not show (B72)."""
        table = self.chance.choice(list(MESSAGES))
        if row := self._some(table):
            key = table.removesuffix("s") + "_id"
            self._add(MESSAGES[table], **{key: row["id"]}, subject="A reminder", event_type="view")

    def _pay(self) -> None:
        if row := self._some("invoices"):
            self._add("invoice_payments", invoice_id=row["id"], amount=float(self.chance.randrange(1, 99)))

    def _correct(self) -> None:
        """Or delete what hangs on an invoice or estimate."""
        child = self.chance.choice(["invoice_messages", "invoice_payments", "estimate_messages"])
        parent = self._some(child.split("_", maxsplit=1)[0] + "s")
        row = parent and self._some(child, parent["id"])
        if row and self.chance.random() < 0.3:
            self._delete(child, row)
        elif row:
            self._update(child, row, **{"notes" if child == "invoice_payments" else "subject": "Corrected"})

    def _archive(self) -> None:
        table = self.chance.choice(["clients", "projects", "tasks", "users", "user_assignments"])
        row = self._some(table)
        active = [row for row in self.harvest.state.table(table).rows.values() if row["is_active"]]
        if row and (len(active) > 4 or not row["is_active"]):
            self._update(table, row, is_active=not row["is_active"])

    def _remove(self) -> None:
        table = self.chance.choice([*DATES, *DATES, "contacts", "user_assignments", "task_assignments", "projects"])
        row = self._some(table)
        if row is None or (table == "projects" and self.chance.random() < 0.8):
            return
        for other, name in FORGETFUL.get(table, ()):
            self._silence(f"{name}_id", other, name, row)
        if table == "projects":  # the lines of invoices forget it
            for invoice in self.harvest.state.table("invoices").rows.values():
                for item in invoice["line_items"]:
                    self.silent["invoice_line_items", item["id"]].add("project_id")
        self._delete(table, row)

    def _assign(self) -> None:
        user, project = self._some("users"), self._some("projects")
        rows = self.harvest.state.table("user_assignments").rows.values()
        taken = {(row["user"]["id"], row["project"]["id"]) for row in rows}
        if user and project and (user["id"], project["id"]) not in taken:
            self._add("user_assignments", user_id=user["id"], project_id=project["id"])

    def _itemise(self) -> None:
        table = self.chance.choice(list(MESSAGES))
        if row := self._some(table):
            self._update(table, row, line_items=[*row["line_items"][1:], {"quantity": 2.0}])

    def _staff(self) -> None:
        if (role := self._some("roles")) and (user := self._some("users")):
            self._update("roles", role, user_ids=[user["id"]])

    def _raise(self) -> None:
        if user := self._some("users"):
            self._add("billable_rates", user_id=user["id"], amount=float(self.chance.randrange(50, 150)))

    def _link(self) -> None:
        if entry := self._some("time_entries"):
            reference = {"id": f"K-{self.chance.randrange(9)}", "group_id": None, "account_id": None}
            shown = {"permalink": None, "service": "jira", "service_icon_url": None}
            self._update("time_entries", entry, external_reference=self.chance.choice([None, {**reference, **shown}]))

    def _hand_over(self) -> None:
        """A project to another client: what was tracked for it follows, and does not say so."""
        if (project := self._some("projects")) and (client := self._some("clients")):
            self._update("projects", project, client_id=client["id"])
            self._silence("client_id", "time_entries", "project", project)
            self._silence("client_id", "expenses", "project", project)

    def _reprice(self) -> None:
        """A client's currency: its projects follow, and do not say so."""
        if client := self._some("clients"):
            self._update("clients", client, currency=self.chance.choice(["EUR", "USD", "CHF"]))
            self._silence("currency", "projects", "client", client)

    def _silence(self, column: str, table: str, name: str, gone: Row) -> None:
        """In the rows that refer to a row by that name, the column changes without a trace."""
        for row in self.harvest.state.table(table).rows.values():
            if (row[name] or {}).get("id") == gone["id"]:
                self.silent[table, row["id"]].add(column)


PASSING = (
    {"status": 503},
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"kind": "reset"},
    {"kind": "cut"},
    {"kind": "broken_json"},
    {"kind": "html"},
)


@dataclass
class Story:
    """An account, a connector and a destination, and what happens to them."""

    folder: Path
    connector: Connector
    streams: list[Message]
    harvest: Harvest
    config: Message
    destination: InMemoryDestination | DuckDBDestination
    chance: random.Random

    def __post_init__(self) -> None:
        self.people = People(self.harvest, self.chance)
        self.told = self.people.told
        self.doubted: set[str] = set()
        self.vouched: set[tuple[str, int]] = set()
        """Table and id of what a state stands behind that came in a sync with deleted_records."""

    def time_passes(self) -> None:
        """From nothing to a week, in which much or little happens."""
        self.people.change(self.chance.choice([0, 1, 5, 30]))
        if self.chance.random() < 0.2:
            self.harvest.work(days=1)
        seconds, days = self.chance.choice([(0, 0), (1, 0), (50, 0), (3600, 0), (0, 1), (0, 8)])
        self.harvest.clock.advance(seconds=seconds, days=days)
        self.people.change(self.chance.choice([0, 0, 1, 5]))

    def disturbed_sync(self, names: list[str]) -> None:
        """A sync in which anything may happen."""
        chance, harvest = self.chance, self.harvest
        # Not pages of one row: by more than 20 of them a list may grow meanwhile, and would count as endless.
        harvest.page_size_cap = chance.choice([2, 2, 3, 5, 8, 13, 21, 50])
        busy = chance.choice([0, 0.02, 0.1, 0.4])

        def meddle(_: object) -> None:
            if chance.random() < busy:
                self.people.change(chance.choice([1, 1, 4]))
                harvest.clock.advance(seconds=chance.choice([0, 0, 1, 20, 200]))

        harvest.before_page = meddle
        for _ in range(chance.choice([0, 0, 1, 2])):  # fewer for one request than the tries that it has
            path = chance.choice(["", "/time_entries$", "/invoices$", "/messages$", "/projects$"])
            fault = chance.choice(PASSING)
            harvest.faults.add(path, page=chance.choice([None, 2]), times=chance.choice([1, 2]), **fault)
        if can_fail := chance.random() < 0.15:  # this one does not pass: its stream fails, and others do not
            harvest.faults.add(chance.choice(["/time_entries$", "/invoices$", "/payments$", "/users$"]), status=403)
        # With all streams, an undisturbed first sync has about 800 lines.
        kill_after = chance.choice([None, chance.randrange(40), chance.randrange(300), chance.randrange(900)])
        self.sync(kill_after, names, can_fail=can_fail, child_full_read_days=chance.choice([0, 1, 7]))
        harvest.before_page = None
        harvest.faults.clear()

    def last_sync(self) -> None:
        """In which nothing happens, and every parent is visited."""
        self.harvest.page_size_cap = self.chance.randint(1, 50)
        doubted, self.doubted = self.doubted, set()
        self.sync(child_full_read_days=0)
        assert not self.doubted, "\n".join(self.told)
        self.doubted = doubted

    def sync(
        self, kill_after: int | None = None, names: list[str] | None = None, *, can_fail: bool = False, **settings: Any
    ) -> None:
        config = {**self.config, "num_workers": self.chance.randint(1, 12), **settings}
        catalog, state = configured(self.streams, names), self.destination.state()
        self.told.append(f"sync: {kill_after=} {names=} {settings=} cap={self.harvest.page_size_cap}")
        lines = self.connector.lines(
            self.folder, "read", kill_after=kill_after, config=config, catalog=catalog, state=state
        )
        try:
            with closing(lines):
                heard = self._heard(lines, self.chance.choice([kill_after, None]))
                self.destination.load(self._noted(heard) if names is None or DELETED in names else heard, catalog)
        except DestinationDiedError:
            can_fail = True  # nobody reads its pipe any more
        self.told.append(f"ended with {self.connector.exit_code}")
        endings = {0, *([1] if can_fail else []), *([] if kill_after is None else [-signal.SIGKILL])}
        assert self.connector.exit_code in endings, "\n".join(self.told)

    def _heard(self, lines: Iterable[str], dies_after: int | None) -> Iterator[str]:
        for number, line in enumerate(lines):
            if number == dies_after:
                raise DestinationDiedError
            if '"level":"WARN"' in line or '"type":"ERROR"' in line:
                self.told.append(line)
                self.doubted |= {found["name"] for found in INCOMPLETE.finditer(line)}
            yield line

    def _noted(self, lines: Iterable[str]) -> Iterator[str]:
        """Takes down what states stand behind."""
        waiting: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for line in lines:
            message = json.loads(line)
            if message["type"] == "RECORD" and "id" in message["record"]["data"]:
                name = message["record"]["stream"]
                waiting[name].add((name, message["record"]["data"]["id"]))
            elif message["type"] == "STATE":
                self.vouched |= waiting.pop(message["state"]["stream"]["stream_descriptor"]["name"], set())
            yield line


def unfinished_visits(destination: InMemoryDestination | DuckDBDestination) -> dict[str, str]:
    """Stream -> five minutes before an unfinished visit to all parents began, such as "2024-01-31T10:00:00Z"."""
    found = {}
    for state in destination.state():
        unfinished = state["stream"]["stream_state"].get("unfinished", {})
        if "up_to_parent" in unfinished and "visit" not in unfinished:
            began = datetime.fromisoformat(unfinished["began"].replace("Z", "+00:00"))
            found[state["stream"]["stream_descriptor"]["name"]] = stamp(began - timedelta(minutes=5))
    return found


def unfinished_reports(destination: InMemoryDestination | DuckDBDestination) -> set[str]:
    """The reports of which some periods were read, and others wait for the next sync."""
    states = {
        state["stream"]["stream_descriptor"]["name"]: state["stream"]["stream_state"] for state in destination.state()
    }
    return {name for name, state in states.items() if name in REPORTS and "unfinished" in state}


def is_doubted(story: Story, name: str) -> bool:
    """Whether a sync said that it had not seen all of one of the lists that a stream is made of."""
    [stream] = [stream for stream in STREAMS if stream_name(stream) == name]
    return not story.doubted.isdisjoint({name, *map(stream_name, stream.source_lists())})


def is_not_due(harvest: Harvest, name: str, row: Row, since: str | None) -> bool:
    """Whether what hangs on another row changed since that moment, and the other row did not."""
    if since is None or row["updated_at"] < since:
        return False
    parent = harvest.state.row(CHILDREN[name], row[PARENT_KEYS[name]])
    return bool(parent["updated_at"] < since)


def assert_equal(story: Story, unfinished: dict[str, str] | None = None, but: Container[str] = ()) -> None:
    """Every row of the account is in the destination, as far as Harvest lets anybody know.

    - A deleted row may remain, of those tables that are not read whole: Harvest tells nobody. A row of a report
      becomes zeros.
    - Objects inside a record repeat other records, which Harvest changes there without saying so here.
    - So it does with the columns in `silent`.
    - The hours of a running timer grow with every look at it.
    - Where rows came and went each time that a list was read, the connector warns that some may have slipped past it.
    - Where a visit to all parents was unfinished, what hangs on those visited already, and changed since without a
      word from its parent, waits for the next visit to all.
    - So waits what changed in a period of a report that was read already, where the report was unfinished: `but` those.
    """
    for name, rows in tables(story.harvest, "year").items():
        if name in but or is_doubted(story, name):
            continue
        found = {identity(name, row): row for row in story.destination.held(name)}
        expected_keys = {identity(name, row) for row in rows}
        if name in WHOLE:
            assert found.keys() == expected_keys
        if name in REPORTS:
            stale = [row for key, row in found.items() if key not in expected_keys and not is_zero(row)]
            assert not stale, "\n".join([*story.told, f"{name}: {stale}"])
        for row in rows:
            if is_not_due(story.harvest, name, row, (unfinished or {}).get(name)):
                continue
            silent = story.people.silent.get((name, row.get("id", 0)), set())
            unknown = silent | ({"hours", "rounded_hours"} if row.get("is_running") else set())
            expected = {column: value for column, value in flat(row).items() if column not in unknown}
            kept = flat(found.get(identity(name, row), {}))
            differs = {column: kept.get(column) for column in expected if kept.get(column) != expected[column]}
            assert not differs, "\n".join([*story.told, f"{name} {identity(name, row)}: {differs} is not {expected}"])


def assert_deletions_known(story: Story) -> None:
    """What is gone is reported, and nothing else.

    A row that came without a state behind it, or in a sync without deleted_records, and was never seen again, may be
    unknown to it.
    """
    left = tables(story.harvest, "year")
    reported = {(row["stream"], row["record_id"]) for row in story.destination.held(DELETED) if row["is_deleted"]}
    for name in (stream_name(stream) for stream in STREAMS if stream.primary_key == ["id"]):
        held = {(name, row["id"]) for row in story.destination.held(name)}
        gone = held - {(name, row["id"]) for row in left[name]}
        unknown = gone - story.vouched - reported
        assert reported & held == gone - unknown, "\n".join([*story.told, f"{name}: {reported & held} is not {gone}"])


def in_no_order(name: str, rows: list[Row]) -> list[Row]:
    """The long lists as no client would expect them: the place of a row says nothing of its day or its age."""
    if name not in DATES:
        return rows
    return sorted(rows, key=lambda row: zlib.crc32(f"{name} {row.get('id')}".encode()))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_row_is_lost_whatever_changes_and_whenever_the_connector_is_killed(
    seed: int, tmp_path: Path, connector: Connector, streams: list[Message]
) -> None:
    chance = random.Random(seed)
    harvest = Harvest(size="xs", seed=seed)
    harvest.totals_in_the_middle, harvest.since_is_inclusive = (
        chance.choice([True, False]),
        chance.choice([True, False]),
    )
    with Server(harvest) as server, Warehouse(tmp_path / "warehouse.duckdb") as warehouse:
        if chance.random() < 0.4:
            harvest.rearrange = in_no_order
        destination = DuckDBDestination(warehouse) if seed % 10 == 9 else InMemoryDestination()
        config = config_of(harvest, server) | BY_YEAR | {"report_lookback_days": 720}  # nothing is ever settled
        story = Story(tmp_path, connector, streams, harvest, config, destination, chance)
        names = [*LONG, DELETED] if chance.random() < 0.4 else [stream["name"] for stream in streams]
        for _ in range(chance.choice([1, 2, 2, 3, 4, 6])):
            some = chance.sample(names, chance.randint(1, len(names)))
            story.disturbed_sync(some if chance.random() < 0.2 else names)
            story.time_passes()
        unfinished, but = unfinished_visits(destination), unfinished_reports(destination)
        story.last_sync()
        assert_equal(story, unfinished, but)
        harvest.clock.advance(days=1)
        story.last_sync()
        assert_equal(story)
        assert_deletions_known(story)
        assert 500 not in {request.status for request in harvest.requests}


@pytest.fixture
def story(
    tmp_path: Path, connector: Connector, streams: list[Message], harvest: Harvest, config: dict[str, Any]
) -> Story:
    """The beginning of one, with nothing left to chance."""
    return Story(tmp_path, connector, streams, harvest, config, InMemoryDestination(), random.Random(0))


def states_until(story: Story, names: list[str], enough: Callable[[list[Message]], bool]) -> list[Message]:
    """What the streams' states were in a sync that is killed once there were enough; the destination keeps the last."""
    found: list[Message] = []

    def heard(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            yield line
            if '"type":"STATE"' in line:
                found.append(json.loads(line)["state"]["stream"])
                if enough(found):
                    raise DestinationDiedError

    catalog, state = configured(story.streams, names), story.destination.state()
    lines = story.connector.lines(story.folder, "read", config=story.config, catalog=catalog, state=state)
    with suppress(DestinationDiedError), closing(lines):
        story.destination.load(heard(lines), catalog)
    return found


def is_small(state: Message) -> bool:
    return len(json.dumps(state)) < 5_000


def asked(harvest: Harvest) -> list[tuple[str, str]]:
    """The path and the query of each request, in order."""
    return [(request.path, json.dumps(request.query, sort_keys=True)) for request in harvest.requests]


@pytest.mark.parametrize("num_workers", [1, 8])
def test_a_first_read_that_was_killed_goes_on_and_asks_for_no_finished_day_again(
    num_workers: int, story: Story
) -> None:
    story.harvest.page_size_cap = 3
    story.config["num_workers"] = num_workers
    states = states_until(story, ["time_entries"], lambda states: len(states) == 6)
    assert all(map(is_small, states))
    finished = [DateRange.of(ends) for ends in states[-1]["stream_state"]["unfinished"]["spans"]]
    story.harvest.requests.clear()
    story.harvest.clock.advance(hours=1)
    assert all(map(is_small, states_until(story, ["time_entries"], lambda _: False)))
    *rest, catch_up, timers = [request.query for request in story.harvest.requests]
    assert "updated_since" in catch_up
    assert timers["is_running"] == "true"
    for query in rest:
        span = DateRange.of([query.get("from"), query.get("to")])
        assert not any(overlap(span, other) for other in finished)
    assert 20 < len(rest) < 40  # of the 40 pages that the list has
    found = {row["id"] for row in story.destination.held("time_entries")}
    assert found == {row["id"] for row in story.harvest.listed("time_entries")}


def overlap(one: DateRange, other: DateRange) -> bool:
    """Whether they have a day in common."""
    return (one.first or date.min) <= (other.last or date.max) and (other.first or date.min) <= (one.last or date.max)


@pytest.mark.parametrize("cap", [1, 3, 50, 2000])
def test_no_page_is_asked_for_twice_in_a_sync(cap: int, story: Story) -> None:
    """In the first sync, in one after changes, in one the day after, and where all children are visited."""
    story.harvest.page_size_cap = cap
    for settings in ({}, {}, {}, {"child_full_read_days": 0}):
        story.harvest.requests.clear()
        story.sync(**settings)
        assert [page for page, times in Counter(asked(story.harvest)).items() if times > 1] == []
        story.people.change(times=20)
        story.harvest.work(days=1)


def test_the_state_of_ten_thousand_invoices_is_small(story: Story) -> None:
    """At each of its messages; those of the children differ in nothing but a moment and an id from one to the next."""
    for number in range(10_000):
        day = date(2016, 1, 1) + timedelta(days=number // 3)
        story.harvest.add("invoices", issue_date=day.isoformat(), amount=10.0)
    story.harvest.page_size_cap = 40
    states = states_until(
        story,
        ["invoices", "invoice_line_items", "invoice_messages"],
        lambda states: sum("up_to_parent" in str(state) for state in states) == 20,
    )
    unfinished = [state["stream_state"]["unfinished"] for state in states if "unfinished" in state["stream_state"]]
    assert sum("spans" in state for state in unfinished) > 30
    assert {frozenset(state) for state in unfinished if "spans" not in state} == {frozenset({"began", "up_to_parent"})}
    assert all(map(is_small, states))
