"""Every fault in every place: what is said, what is kept, and that the next sync makes the tables whole.

The expectations are those that docs/errors.md shows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from docs import errors
from docs.errors import ALWAYS, COMPLETE, ONCE, OUTCOMES, Outcome
from emulator import Harvest
from source_harvest.source import SourceHarvest
from testing.comparisons import held
from testing.expected_tables import identity, tables
from testing.in_process import LOGGER, Sync, catalog_of, check, sync
from testing.streams import LISTS, STREAM_NAMES, WHOLE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("naps", "short_hangs")]

LISTED = [*LISTS, *WHOLE]
WORDS = "Harvest's own words"
SAID = f'{{"message": "{WORDS}"}}'


@dataclass(frozen=True)
class Fault:
    """How the emulator is told, and what an error message has to quote."""

    told: dict[str, Any]
    quoted: str = WORDS
    times: int = 1


def answered(status: int, **headers: str) -> Fault:
    return Fault({"status": status, "body": SAID, "headers": headers})


FAULTS = {
    **{str(status): answered(status) for status in (400, 401, 402, 403, 404, 422, 500, 502, 503)},
    "429 with Retry-After": answered(429, **{"retry-after": "7"}),
    "429 without Retry-After": answered(429),
    "429 ten times in a row": Fault({"status": 429, "body": SAID}, times=10),
    "a redirect to another host": answered(302, location="http://127.0.0.2:9/"),
    "a connection reset": Fault({"kind": "reset"}, "ConnectionError: ('Connection aborted.'"),
    "a body cut off": Fault({"kind": "cut"}, "IncompleteRead"),
    "broken JSON": Fault({"kind": "broken_json"}, "the answer was not JSON"),
    "an HTML page with 200": Fault({"kind": "html"}, "the answer was an HTML page"),
    "JSON that is not as documented": Fault({"status": 200, "body": '{"surprise": []}'}, ""),
    "no answer": Fault({"kind": "hang"}, "ReadTimeout"),
}


@dataclass(frozen=True)
class Place:
    """Which request goes wrong, and what a sync that asks for it reads."""

    path: str
    name: str
    """What error messages call it."""
    page: int | None = None
    stream: str = "clients"
    cap: int = 2000
    in_a_span: bool = False
    oauth: bool = False
    readable_by: str = "everyone"
    config: dict[str, Any] = field(default_factory=dict)


CLIENTS = Place("/clients$", "clients", readable_by="Administrators and Managers who may create and edit clients")
OF_ESTIMATE = "/estimates/{estimate}/messages$"
ESTIMATE_ROLES = "Administrators and Managers with a permission for estimates"
PLACES = {
    "the first page of a list": Place(**{**vars(CLIENTS), "page": 1}),
    "a later page of a list": Place(**{**vars(CLIENTS), "page": 2, "cap": 2}),
    "a span of a long first read": Place(
        "/time_entries$", "time_entries", stream="time_entries", cap=14, in_a_span=True
    ),
    "the first page of a list below a record": Place(
        OF_ESTIMATE, "estimate_messages", 1, "estimate_messages", readable_by=ESTIMATE_ROLES
    ),
    "a later page of a list below a record": Place(
        OF_ESTIMATE, "estimate_messages", 2, "estimate_messages", cap=2, readable_by=ESTIMATE_ROLES
    ),
    "a list, with OAuth": Place(**{**vars(CLIENTS), "oauth": True}),
    "OAuth's token request": Place("/oauth2/token$", "access token", oauth=True),
    "the list of accounts": Place("/accounts$", "list of accounts", config={"account_id": ""}),
    "the check": Place("/users/me$", "signed-in user"),
}
COMMANDS = ("the check", "the list of accounts")


class Story:
    """An account, and a fault that waits for its request."""

    def __init__(self, harvest: Harvest, config: dict[str, Any], fault: Fault, where: str, how_often: str) -> None:
        place = PLACES[where]
        self.harvest = harvest
        self.config = {**config, **place.config}
        self.estimate = harvest.listed("estimates")[5]["id"]
        for number in range(3):
            harvest.add("estimate_messages", estimate_id=self.estimate, subject=f"Reminder {number}")
        harvest.page_size_cap = place.cap
        times = None if how_often == ALWAYS else fault.times
        self._told = {**fault.told, "times": times, "page": place.page}
        self._path = place.path.format(estimate=self.estimate)
        if place.in_a_span:
            harvest.before_page = self._after_the_first
        else:
            harvest.faults.add(self._path, **self._told)

    def _after_the_first(self, request: Any) -> None:
        """A long list is cut once its first page has come."""
        if request.path.endswith("/time_entries"):
            self.harvest.before_page = None
            self.harvest.faults.add(self._path, **self._told)

    def heal(self) -> None:
        self.harvest.before_page = None
        self.harvest.faults.clear()


def assert_readable(message: str, outcome: Outcome, fault: Fault, place: Place) -> None:
    """One line, without a stack trace, exactly as the docs show it."""
    values = {
        "status": str(fault.told.get("status")),
        "said": WORDS,
        "name": place.name,
        "readable_by": place.readable_by,
        "reason": "REASON",
    }
    expected = re.escape(outcome.reads.format(**values)).replace("REASON", f"[^\n]*{re.escape(fault.quoted)}[^\n]*")
    assert re.fullmatch(expected, message), message
    assert len(message) <= 600
    assert "Traceback" not in message


def assert_whole(harvest: Harvest, names: Iterable[str], *syncs: Sync) -> None:
    expected = tables(harvest)
    for name in names:
        assert held(name, *syncs) == {identity(name, row): row for row in expected[name]}, name


def cases(places: Iterable[str]) -> list[Any]:
    return [
        pytest.param(outcome, *case, id=" - ".join(case))
        for outcome in OUTCOMES
        for case in outcome.cases()
        if case[1] in places
    ]


def test_the_table_says_once_what_happens_for_each_fault_in_each_place() -> None:
    said = [case for outcome in OUTCOMES for case in outcome.cases()]
    limited = set(errors.LIMITED + errors.LIMITED_LONG)
    expected = {
        (fault, place, times)
        for fault in FAULTS
        for place in PLACES
        for times in ((ONCE,) if fault in limited else (ONCE, ALWAYS))
    }
    assert len(said) == len(set(said))
    assert set(said) == expected


@pytest.mark.parametrize(("outcome", "what", "where", "how_often"), cases(set(PLACES) - set(COMMANDS)))
def test_a_fault_costs_no_row(
    outcome: Outcome,
    what: str,
    where: str,
    how_often: str,
    harvest: Harvest,
    config: dict[str, Any],
    oauth_config: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    fault, place = FAULTS[what], PLACES[where]
    story = Story(harvest, oauth_config if place.oauth else config, fault, where, how_often)
    asked = catalog_of(place.stream, "tasks")
    result = sync(story.config, [], asked=asked)
    lost = result.errors
    assert result.statuses == {name: "INCOMPLETE" if name in lost else "COMPLETE" for name in (place.stream, "tasks")}
    assert set(result.states) >= {place.stream, "tasks"} - set(lost)
    assert all("updated_at" not in result.states.get(name, {}) for name in lost)
    if outcome.ends == COMPLETE:
        assert (result.error, lost) == (None, {})
        later = []
        if (what, how_often) == ("404", ALWAYS) and where in errors.CHILD:
            assert story.estimate not in {row["estimate_id"] for row in result.records(place.stream)}
            assert f"below estimates/{story.estimate}, which is still there" in caplog.text
            story.heal()
            later = [sync(story.config, [], result.state, asked=asked)]
        assert_whole(harvest, [place.stream, "tasks"], result, *later)
        return
    # Of two streams that need a token, the first to ask for it may be either.
    kind, message = lost["tasks" if where in errors.TOKEN and place.stream not in lost else place.stream]
    assert kind == outcome.ends
    assert_readable(message, outcome, fault, place)
    assert result.error is not None
    assert result.error.failure_type.value == outcome.ends
    assert str(result.error.message).startswith(f"{len(lost)} of 2 streams could not be read to their end")
    if errors.GOES_ON in outcome.does:
        assert set(lost) == {place.stream}

    story.heal()
    healthy = sync(story.config, [], result.state, asked=asked)
    assert healthy.error is None
    assert_whole(harvest, [place.stream, "tasks"], result, healthy)
    true_rows = {**held(place.stream, result), **held(place.stream, healthy)}
    assert all(true_rows[identity(place.stream, row)] == row for row in result.records(place.stream))


@pytest.mark.parametrize(("outcome", "what", "where", "how_often"), cases(["the list of accounts"]))
def test_an_account_that_cannot_be_found_reads_nothing(
    outcome: Outcome, what: str, where: str, how_often: str, harvest: Harvest, config: dict[str, Any]
) -> None:
    story = Story(harvest, config, FAULTS[what], where, how_often)
    result = sync(story.config, ["tasks"])
    if outcome.ends == COMPLETE:
        assert result.error is None
    else:
        assert result.messages == []
        assert result.error is not None
        assert result.error.failure_type.value == outcome.ends
        assert_readable(str(result.error.message), outcome, FAULTS[what], PLACES[where])
    story.heal()
    assert_whole(harvest, ["tasks"], result, sync(story.config, ["tasks"], result.state))


@pytest.mark.parametrize(("outcome", "what", "where", "how_often"), cases([*COMMANDS, "OAuth's token request"]))
def test_a_check_says_the_same(
    outcome: Outcome,
    what: str,
    where: str,
    how_often: str,
    harvest: Harvest,
    config: dict[str, Any],
    oauth_config: dict[str, Any],
) -> None:
    story = Story(harvest, oauth_config if PLACES[where].oauth else config, FAULTS[what], where, how_often)
    connected, message = check(story.config)
    assert connected is (outcome.ends == COMPLETE)
    if not connected:
        assert_readable(message, outcome, FAULTS[what], PLACES[where])
    story.heal()
    assert check(story.config) == (True, "")


@pytest.mark.parametrize("what", FAULTS)
def test_discover_asks_harvest_nothing(what: str, harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.faults.add(times=None, **FAULTS[what].told)
    found = SourceHarvest().discover(LOGGER, {**config, "account_id": ""})
    assert [stream.name for stream in found.streams] == STREAM_NAMES
    assert harvest.requests == []


@pytest.mark.parametrize("what", ["403", "404", "422", "500", "broken JSON", "a body cut off"])
@pytest.mark.parametrize("page", [1, 2])
def test_a_failed_update_of_all_lists_moves_no_cursor(
    what: str, page: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    """Changes come between two syncs, and the second one fails in one list after the other."""
    harvest.clock.advance(hours=1)
    first = sync(config, LISTED)
    harvest.clock.advance(hours=1)
    harvest.work(days=3)
    harvest.page_size_cap = 1
    for path in ("/clients$", "/projects$", "/time_entries$", "/invoices$", "/estimates/[0-9]+/messages$", "/roles$"):
        harvest.faults.add(path, page=page, times=None, **FAULTS[what].told)
    failed = sync(config, LISTED, first.state)
    assert failed.error is not None
    assert {"time_entries", "invoices", "invoice_line_items", "invoice_payments", "roles"} <= set(failed.errors)
    assert {name for name, status in failed.statuses.items() if status == "INCOMPLETE"} == set(failed.errors)
    assert set(failed.states).isdisjoint(failed.errors)
    harvest.faults.clear()
    harvest.page_size_cap = 2000
    kept = {state.stream.stream_descriptor.name: state for state in [*first.state, *failed.state]}
    healthy = sync(config, LISTED, list(kept.values()))
    assert healthy.error is None
    undisturbed = sync(config, LISTED, first.state)
    for name in LISTED:
        assert held(name, first, failed, healthy) == held(name, first, undisturbed), name
