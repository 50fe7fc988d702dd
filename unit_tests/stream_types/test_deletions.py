"""What was deleted is found, all of it, and nothing else, whatever happens between and during the syncs."""

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode

from emulator import Harvest
from source_harvest.state.known_ids import KnownIds
from testing.accounts import requests_to, to_now
from testing.deletion_syncs import WITH_IDS, Story, first_sync
from testing.expected_tables import tables
from testing.in_process import Sync, kills, state_in, sync
from testing.streams import DELETED, WHOLE

SEEDS = range(int(os.environ.get("DELETION_SEEDS", "10")))
LISTS = ("clients", "contacts", "tasks", "projects", "time_entries", "expenses", "invoices", "estimates", "roles")
OTHERS = ("user_assignments", "task_assignments", "users", "expense_categories", "invoice_item_categories")


def assert_all_found(story: Story, harvest: Harvest, streams: list[str] = WITH_IDS) -> None:
    left = tables(harvest)
    for name in streams:
        gone = story.ids(name) - {row["id"] for row in left[name]}
        assert story.said_to_be_deleted(name) & story.ids(name) == gone, name


def assert_none_invented(story: Story, harvest: Harvest) -> None:
    left = tables(harvest)
    for name in WITH_IDS:
        assert not story.said_to_be_deleted(name) & {row["id"] for row in left[name]}, name
    if harvest.before_page is None:  # or it may have gone again in the meantime
        assert story.said_to_be_back <= {(name, row["id"]) for name in WITH_IDS for row in left[name]}


def delete_something(harvest: Harvest, chance: random.Random) -> None:
    table = chance.choice([*LISTS, *OTHERS, "child", "line"])
    if table == "child":
        parents, children = chance.choice(
            [("invoices", "invoice_messages"), ("invoices", "invoice_payments"), ("estimates", "estimate_messages")]
        )
        rows = [child for parent in harvest.listed(parents) for child in harvest.children(children, parent["id"])]
        table = children
    elif table == "line":
        bills = [row for row in harvest.listed("invoices") if len(row["line_items"]) > 1]
        if bills:
            bill = chance.choice(bills)
            harvest.update("invoices", bill["id"], line_items=bill["line_items"][1:])
        return
    else:
        rows = harvest.listed(table)
    if len(rows) > 1:
        with suppress(ValueError):  # Harvest refuses to delete what is used
            harvest.delete(table, chance.choice(rows)["id"])


def meddling(harvest: Harvest, seed: float) -> Callable[[Any], None]:
    chance = random.Random(seed)  # of its own: which pages are asked for first is up to the threads

    def meddle(_: Any) -> None:
        if chance.random() < 0.1:
            delete_something(harvest, chance)
        if chance.random() < 0.05:
            client = harvest.listed("clients")[0]["id"]
            harvest.add("contacts", client_id=client, first_name="New")
            harvest.add("invoices", client_id=client)

    return meddle


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_all_that_was_deleted_is_found_and_nothing_else(
    seed: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    chance = random.Random(seed)
    harvest.page_size_cap = chance.choice([3, 20, 2000])
    config |= {"deleted_records_days": chance.choice([0, 1, 1, 3]), "child_full_read_days": chance.choice([0, 2, 7])}
    if chance.random() < 0.3:
        config["replication_start_date"] = chance.choice(["2025-06-01", "2026-02-01"])
    story = Story(config)
    for _ in range(6):
        harvest.before_page = meddling(harvest, chance.random()) if chance.random() < 0.3 else None
        for _ in range(chance.randrange(3)):
            path = chance.choice([r"/clients$", r"/invoices$", r"/time_entries$", r"messages$", r"/projects$", ""])
            harvest.faults.add(path, status=chance.choice([403, 404, 422, 503]), times=chance.choice([1, 2, 30]))
        streams = [name for name in WITH_IDS if chance.random() < 0.8]
        mode = SyncMode.incremental if chance.random() < 0.8 else SyncMode.full_refresh
        story.sync([*streams, DELETED], until=chance.choice([1, 1, chance.random()]), mode=mode)
        harvest.faults.clear()
        assert_none_invented(story, harvest)
        harvest.before_page = None
        harvest.clock.advance(minutes=chance.choice([5, 300, 1500, 12_000]))
        for _ in range(chance.randrange(6)):
            delete_something(harvest, chance)
        if chance.random() < 0.5:
            harvest.work()
    story.sync([*WITH_IDS, DELETED])  # brings rows that were never read
    harvest.clock.advance(days=8)
    result = story.sync([*WITH_IDS, DELETED])
    assert result.errors == {}
    assert_all_found(story, harvest)


@pytest.mark.slow
@pytest.mark.parametrize("num_workers", [1, 4])
def test_no_record_comes_before_a_state_that_knows_it(
    num_workers: int, harvest: Harvest, config: dict[str, Any]
) -> None:
    """So that it can be missed, wherever a sync is killed."""
    harvest.page_size_cap = 7
    streams = [name for name in WITH_IDS if name not in WHOLE]
    states: dict[str, Any] = {}
    for _ in range(2):
        result = sync(config | {"num_workers": num_workers}, [*streams, DELETED], list(states.values()) or None)
        assert result.error is None
        for message in result.messages:
            if message.state and message.state.stream:
                states[message.state.stream.stream_descriptor.name] = message.state
            elif message.record and message.record.stream in streams:
                name = message.record.stream
                told = vars(states[DELETED].stream.stream_state)["ids"].get(name, [])
                own = vars(states[name].stream.stream_state).get("delivered", []) if name in states else []
                assert message.record.data["id"] in ids_in(told) | ids_in(own), name
        assert all("delivered" not in vars(state.stream.stream_state) for state in states.values())
        harvest.clock.advance(hours=3)
        harvest.work()


def test_what_is_gone_is_told_once_though_a_stream_goes_on_failing(harvest: Harvest, config: dict[str, Any]) -> None:
    """Whose state is still the one that a killed sync left."""
    streams = ["invoices", "invoice_messages"]
    stopped = kills(sync(config, [*streams, DELETED]), "invoice_messages")
    killed = next(stop for stop in stopped if "delivered" in stop.states["invoice_messages"])
    parts = killed.states["invoice_messages"]["delivered"]
    (invoice,) = KnownIds(parts).by_parent
    harvest.delete("invoices", invoice)
    story = Story(config)
    story.keep(killed.state)
    harvest.faults.add(path="/messages", status=403, times=None)
    found = [story.sync([*streams, DELETED]) for _ in range(3)]
    assert [result.statuses["invoice_messages"] for result in found] == ["INCOMPLETE"] * 3
    told = [{row["record_id"] for row in result.records(DELETED) if row["is_deleted"]} for result in found]
    assert told == [ids_in(parts) | {invoice}, set(), set()]


def test_what_a_killed_sync_delivered_is_known_also_after_a_sync_without_looking(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    config |= {"child_full_read_days": 0}
    streams = ["invoices", "invoice_messages"]
    story = first_sync(harvest, config, streams)
    message = harvest.add("invoice_messages", invoice_id=harvest.listed("invoices")[0]["id"], subject="Soon gone")
    messages = sync(config, [*streams, DELETED], state_in(story.destination)).messages
    row = next(n for n, m in enumerate(messages) if m.record and m.record.data["id"] == message)
    story.keep(Sync(messages[:row]).state)
    harvest.delete("invoice_messages", message)
    story.sync(streams)
    harvest.clock.advance(days=1)
    story.sync([*streams, DELETED])
    assert message in story.said_to_be_deleted("invoice_messages")


@pytest.mark.slow
def test_states_of_many_visits_stay_small_whichever_of_them_fails(harvest: Harvest, config: dict[str, Any]) -> None:
    client = harvest.listed("clients")[0]["id"]
    for _ in range(250):
        harvest.add("invoice_messages", invoice_id=harvest.add("invoices", client_id=client), subject="One of many")
    first = min(row["id"] for row in harvest.listed("invoices"))
    harvest.faults.add(path=f"/invoices/{first}/messages", status=422, times=None)
    states = [vars(s.stream.stream_state) for s in sync(config, ["invoice_messages", DELETED]).state if s.stream]
    named = [len(ids_in(state.get("delivered", []))) for state in states]
    assert len(named) > 200
    assert max(named) <= 250 / 2


def ids_in(parts: list[Any]) -> set[int]:
    return {id_ for ids in KnownIds(parts).by_parent.values() for id_ in ids}


@pytest.mark.slow
def test_a_deleted_record_is_a_row(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config)
    entry = harvest.listed("time_entries")[0]["id"]
    harvest.delete("time_entries", entry)
    now = f"{harvest.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    [found] = story.sync([*WITH_IDS, DELETED]).records(DELETED)
    assert found.pop("detected_at") >= now  # when the sync began, and the seconds that it took
    assert found == {"stream": "time_entries", "record_id": entry, "is_deleted": True}
    harvest.clock.advance(days=1)
    assert story.sync([*WITH_IDS, DELETED]).records(DELETED) == []


@pytest.mark.slow
def test_what_hangs_on_a_deleted_record_is_deleted_too(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config)
    invoice = next(
        row["id"]
        for row in harvest.listed("invoices")
        if row["line_items"] and harvest.children("invoice_messages", row["id"])
        if harvest.children("invoice_payments", row["id"])
    )
    project = next(row["project"]["id"] for row in harvest.listed("expenses"))
    harvest.delete("invoices", invoice)
    harvest.delete("projects", project)
    story.sync([*WITH_IDS, DELETED])
    assert_all_found(story, harvest)
    assert {name for name, _ in story.verdicts} == {
        *("invoices", "invoice_line_items", "invoice_messages", "invoice_payments"),
        *("projects", "project_users", "user_projects", "project_tasks", "time_entries", "expenses"),
    }


def test_a_line_that_was_taken_off_an_invoice_is_found_with_the_invoice(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    story = first_sync(harvest, {**config, "deleted_records_days": 30})
    invoice = next(row for row in harvest.listed("invoices") if len(row["line_items"]) > 1)
    harvest.update("invoices", invoice["id"], line_items=invoice["line_items"][1:])
    story.sync([*WITH_IDS, DELETED])
    assert story.said_to_be_deleted("invoice_line_items") == {invoice["line_items"][0]["id"]}


def test_a_record_that_comes_back_is_reported_too(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config)
    contact = harvest.listed("contacts")[0]["id"]
    row = harvest.state.row("contacts", contact)
    harvest.delete("contacts", contact)
    story.sync(["contacts", DELETED])
    harvest.clock.advance(days=1)
    harvest.delete("contacts", harvest.listed("contacts")[0]["id"])
    story.sync(["contacts", DELETED])
    harvest.clock.advance(days=1)
    harvest.state.put("contacts", row, None)
    assert [(r["record_id"], r["is_deleted"]) for r in story.sync(["contacts", DELETED]).records(DELETED)] == [
        (contact, False)
    ]
    harvest.clock.advance(days=1)
    assert story.sync(["contacts", DELETED]).records(DELETED) == []


@pytest.mark.slow
@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_list_that_cannot_be_read_tells_of_no_deletion(
    status: int, harvest: Harvest, config: dict[str, Any], naps: list[float]
) -> None:
    story = first_sync(harvest, config)
    client = harvest.add("clients", name="Short-lived")
    story.sync([*WITH_IDS, DELETED])
    harvest.clock.advance(days=1)
    harvest.delete("clients", client)
    harvest.faults.add("/clients$", status=status, times=None)
    result = story.sync([*WITH_IDS, DELETED])
    assert result.statuses["clients"] == "INCOMPLETE"
    assert result.statuses[DELETED] == "COMPLETE"
    assert story.verdicts == {}
    harvest.faults.clear()
    story.sync([*WITH_IDS, DELETED])
    assert story.verdicts == {("clients", client): True}


@pytest.mark.slow
def test_a_list_whose_length_is_in_doubt_tells_of_no_deletion(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config)
    harvest.delete("contacts", harvest.listed("contacts")[0]["id"])
    body = '{"contacts": [], "total_entries": 2, "links": {"next": null}}'
    harvest.faults.add("/contacts$", status=200, body=body, times=None)
    assert story.sync([*WITH_IDS, DELETED]).records(DELETED) == []
    harvest.faults.clear()
    story.sync([*WITH_IDS, DELETED])
    assert_all_found(story, harvest)


def test_an_empty_list_of_a_module_that_was_switched_off_tells_of_no_deletion(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    story = first_sync(harvest, config, ["expenses", "expense_categories"])
    harvest.modules -= {"expense"}
    for name in ("expenses", "expense_categories"):
        body = json.dumps({name: [], "total_entries": 0, "links": {"next": None}})
        harvest.faults.add(f"/{name}$", status=200, body=body, times=None)
    assert story.sync(["expenses", "expense_categories", DELETED]).records(DELETED) == []


def test_a_404_below_a_record_that_is_still_listed_tells_of_no_deletion(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    story = first_sync(harvest, {**config, "child_full_read_days": 0}, ["estimate_messages"])
    harvest.faults.add("/messages$", status=404, times=None)
    assert story.sync(["estimate_messages", DELETED]).records(DELETED) == []


def test_children_whose_number_is_in_doubt_tell_of_no_deletion(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, {**config, "child_full_read_days": 0})
    body = '{"invoice_messages": [], "total_entries": 2, "links": {"next": null}}'
    harvest.faults.add("/messages$", status=200, body=body, times=None)
    assert story.sync(["invoice_messages", DELETED]).records(DELETED) == []


def test_a_read_that_was_taken_up_again_tells_of_no_deletion(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    story = Story(config)
    story.sync(["time_entries", DELETED], until=0.5)
    resumed = story.sync(["time_entries", DELETED])
    assert 0 < len(resumed.records("time_entries")) < len(harvest.listed("time_entries"))
    assert story.verdicts == {}


def test_what_hangs_on_records_from_before_the_start_date_is_not_called_deleted(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    to_now(harvest)
    newest = max(row["updated_at"] for row in harvest.listed("invoices"))
    story = Story({**config, "deleted_records_days": 0, "replication_start_date": newest})
    for _ in range(2):
        story.sync(["invoices", "invoice_messages", DELETED])
    assert story.verdicts == {}


def test_what_a_start_date_kept_out_of_the_table_is_not_reported(harvest: Harvest, config: dict[str, Any]) -> None:
    to_now(harvest)
    rows = tables(harvest)["invoice_messages"]
    middle = sorted(row["updated_at"] for row in rows)[len(rows) // 2]
    config |= {"deleted_records_days": 0, "child_full_read_days": 0, "replication_start_date": middle}
    story = Story(config)
    story.sync(["invoice_messages", DELETED])
    delivered = set(story.ids("invoice_messages"))
    for row in rows:
        harvest.delete("invoice_messages", row["id"])
    assert 0 < len(delivered) < len(rows)
    story.sync(["invoice_messages", DELETED])
    assert story.said_to_be_deleted("invoice_messages") == delivered


def test_a_sync_that_looks_for_deletions_asks_for_no_list_twice(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, {**config, "child_full_read_days": 7})
    harvest.requests.clear()
    story.sync(["clients", "time_entries", "user_projects", DELETED])
    asked = sorted((request.path, request.query.get("updated_since")) for request in harvest.requests)
    lists = ("clients", "projects", "time_entries", "user_assignments", "users")
    assert [path for path, _ in asked] == [f"/v2/{name}" for name in lists] + ["/v2/users/me"]
    whole = {path for path, since in asked if since is None}
    assert whole == {"/v2/clients", "/v2/time_entries", "/v2/user_assignments", "/v2/users/me"}


@pytest.mark.parametrize(("days", "hours", "is_whole"), [(1, 1, False), (1, 24, True), (3, 48, False), (0, 0, True)])
def test_lists_are_read_whole_no_more_often_than_wanted(
    days: int, hours: int, is_whole: bool, harvest: Harvest, config: dict[str, Any]
) -> None:
    story = Story({**config, "deleted_records_days": days})
    story.sync(["clients", DELETED])
    harvest.clock.advance(hours=hours)
    harvest.requests.clear()
    story.sync(["clients", DELETED])
    assert ["updated_since" in query for query in requests_to(harvest, "/v2/clients")] == [not is_whole]


@pytest.mark.slow
@pytest.mark.parametrize("role", ["manager", "member"])
def test_what_a_user_sees_no_more_is_not_called_deleted(role: str, harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config)
    story.config["credentials"] = {"auth_type": "Token", "api_token": harvest.token_for(role)}
    result = story.sync(["time_entries", "expenses", DELETED])
    kind, message = result.errors[DELETED]
    assert kind == "config_error"
    assert "Administrator" in message
    assert result.statuses == {"time_entries": "COMPLETE", "expenses": "COMPLETE", DELETED: "INCOMPLETE"}
    assert story.verdicts == {}


def test_a_later_start_date_deletes_nothing(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config, ["time_entries", "expenses"])
    story.config["replication_start_date"] = "2026-02-20"
    harvest.delete("time_entries", min(row["id"] for row in harvest.listed("time_entries")))
    story.sync(["time_entries", "expenses", DELETED])
    assert_all_found(story, harvest, ["time_entries", "expenses"])


def test_a_full_refresh_has_nothing_to_compare_with(
    harvest: Harvest, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    result = sync(config, ["clients", DELETED], mode=SyncMode.full_refresh)
    assert result.records(DELETED) == []
    assert "finds no deletions if it is not read incrementally" in caplog.text


def test_a_long_list_is_read_in_spans_also_to_look_for_deletions(harvest: Harvest, config: dict[str, Any]) -> None:
    harvest.page_size_cap = 5
    story = first_sync(harvest, config, ["time_entries"])
    harvest.requests.clear()
    harvest.delete("time_entries", harvest.listed("time_entries")[3]["id"])
    story.sync(["time_entries", DELETED])
    assert_all_found(story, harvest, ["time_entries"])
    assert any("from" in request.query for request in harvest.requests)


@pytest.mark.slow
def test_time_passes_between_the_start_and_the_finding(harvest: Harvest, config: dict[str, Any]) -> None:
    story = first_sync(harvest, config, ["clients"])
    client = harvest.add("clients", name="Short-lived")
    story.sync(["clients", DELETED])
    harvest.clock.advance(days=1)
    harvest.delete("clients", client)
    harvest.faults.add("/clients$", kind="slow", seconds=2.2)
    began = harvest.clock.now()
    row = story.sync(["clients", DELETED]).records(DELETED)[0]
    assert row["detected_at"] >= f"{began + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}"
