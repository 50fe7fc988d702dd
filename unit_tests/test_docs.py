"""What the docs claim and no generator writes is true of the connector."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import docs
import source_harvest
from docs.elsewhere import AIRBYTE_STREAMS
from docs.generate import DIAGRAMS, PAGES, PARTS, wanted
from docs.stitch_columns import COLUMNS
from emulator import Harvest
from source_harvest.api.page_size import PER_PAGE
from source_harvest.api.rate_limit import REPORTS_WINDOW, REQUESTS, WINDOW
from source_harvest.stream_types.report import ReportStream
from source_harvest.streams import STREAMS
from testing.in_process import sync
from testing.streams import STREAM_NAMES, stream_name

FOLDER = Path(docs.__path__[0])
LISTS = {source for stream in STREAMS if stream_name(stream) in COLUMNS for source in stream.source_lists()}
BEYOND = [name for name in STREAM_NAMES if name not in COLUMNS]


def text(page: str) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*PAGES, *PARTS])
def test_generated_pages_and_parts_are_up_to_date(page: str) -> None:
    assert text(page) == wanted(page)


def test_the_diagrams_and_the_dbml_file_have_every_table_and_every_join_once() -> None:
    joins = [(target, stream_name(it), column) for it in STREAMS for column, target in it.foreign_keys.items()]
    page, dbml = text("data-model.md"), text("data-model.dbml")
    drawn = re.findall(r"^    (\w+) \S+--o\{ (\w+) : (\w+)$", page, re.MULTILINE)
    assert sorted(drawn) == sorted(joins)
    alone = re.findall(r"^    (\w+)$", page, re.MULTILINE)
    assert {*alone, *(table for target, table, _ in drawn for table in (target, table))} == set(STREAM_NAMES)
    assert re.findall(r"^Table (\w+) \{$", dbml, re.MULTILINE) == STREAM_NAMES
    references = re.findall(r"^Ref: (\w+)\.(\w+) > (\w+)\.id$", dbml, re.MULTILINE)
    assert sorted((target, table, column) for table, column, target in references) == sorted(joins)


def test_the_readme_counts_the_tables_here_and_in_airbytes_own_connector() -> None:
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    [counts] = re.findall(r"^\| tables \| (\d+): .* \| (\d+): .* \|$", readme, re.MULTILINE)
    assert [int(count) for count in counts] == [len(STREAMS), len(AIRBYTE_STREAMS)]


def test_the_diagrams_name_modules_that_there_are() -> None:
    modules = {stream.__module__.rpartition(".")[2] for stream in STREAMS}
    assert {module for named in DIAGRAMS.values() for module in named} < modules


def test_a_first_sync_takes_the_requests_that_the_reference_says(harvest: Harvest, config: dict[str, Any]) -> None:
    page = text("reference.md")
    [lists] = re.findall(r"^    (\d+) +one request for each list$", page, re.MULTILINE)
    assert len(LISTS) == int(lists)
    sync(config, list(COLUMNS))
    invoices, estimates = (len(harvest.listed(name)) for name in ("invoices", "estimates"))
    assert len(harvest.requests) == int(lists) + 2 * invoices + estimates


def test_what_is_beyond_takes_the_requests_that_the_reference_says(harvest: Harvest, config: dict[str, Any]) -> None:
    config |= {"report_period": "year", "replication_start_date": "2025-03-01"}
    sync(config, BEYOND)
    users = harvest.listed("users")
    managers = [user for user in users if "manager" in user["access_roles"]]
    lists = {f"/v2/{name}" for name in ("company", "users", "users/me")}
    asked = [request.path for request in harvest.requests]
    years_of_time_off = 3  # from the start date's to the next one
    time_off = 5 + years_of_time_off + len(users)
    assert len(asked) == len(lists) + 2 * len(users) + len(managers) + 9 * 2 + 1 + time_off
    assert lists <= set(asked)
    nine = [stream for stream in STREAMS if issubclass(stream, ReportStream)]
    page = text("reference.md")
    assert len(nine) * 36 == int(re.findall(r"are 9 . 36 = (\d+) requests, which take 45 minutes", page)[0])
    assert math.ceil(9 * 36 / REQUESTS) - 1 == 45 / (REPORTS_WINDOW.total_seconds() // 60)
    assert len(nine) * 91 == int(re.findall(r"it would be 9 . 91 = (\d+) in each sync, two hours", page)[0])
    assert math.ceil(9 * 91 / REQUESTS) - 1 == 2 * 60 / (REPORTS_WINDOW.total_seconds() // 60)


@pytest.mark.slow
def test_the_schedule_of_the_setup_guide_takes_the_requests_that_it_says(
    harvest: Harvest, config: dict[str, Any]
) -> None:
    page = text("setup.md")
    suggested = yaml.safe_load((FOLDER.parent / "metadata.yaml").read_text(encoding="utf-8"))["data"][
        "suggestedStreams"
    ]
    hourly = [*suggested["streams"], "deleted_records"]
    usual = [name for name in STREAM_NAMES if not name.startswith("pto_")]  # which few accounts have
    daily = [name for name in usual if name not in hourly]
    config |= {"replication_start_date": "2025-12-01"}
    counts = []
    for names in (hourly, daily):
        first = sync(config, names)
        harvest.requests.clear()
        harvest.clock.advance(hours=1)
        sync(config, names, first.state)
        counts.append(len(harvest.requests))
    users = harvest.listed("users")
    managers = [user for user in users if "manager" in user["access_roles"]]
    reports = [request for request in harvest.requests if "/reports/" in request.path and "budget" not in request.path]
    [[an_hour, others, least, most]] = re.findall(
        r"hourly \| (\d+); once .* daily \| about (\d+), and (\d+) to (\d+) for the nine", page.replace("\n", " ")
    )
    assert counts[0] == int(an_hour)
    assert int(least) <= len(reports) <= int(most)
    assert abs(counts[1] - len(reports) - 2 * len(users) - len(managers) - int(others)) <= 2


def test_the_arithmetic_of_the_reference_is_right() -> None:
    page = text("reference.md")
    a_minute = REQUESTS * 60 // WINDOW.total_seconds()
    assert f"up to {a_minute:.0f} requests a minute" in page
    assert f"further {PER_PAGE:,} rows" in page
    sums = re.findall(r"^\| (\d.*?) \| (15 [+\d ,]+) = ([\d,]+) \| (.*?) \|$", page, re.MULTILINE)
    minutes = {"half a minute": 0.5, "3 minutes": 3, "an hour": 60}
    assert len(sums) == len(minutes)
    for account, terms, total, time in sums:
        counts = {name: int(count.replace(",", "")) for count, name in re.findall(r"([\d,]+) ([a-z ]+)", account)}
        pages = sum((rows - 1) // PER_PAGE for rows in counts.values())
        expected = [len(LISTS), pages, 2 * counts["invoices"], counts["estimates"]]
        assert [int(term.replace(",", "")) for term in terms.split(" + ")] == expected
        assert int(total.replace(",", "")) == sum(expected)
        assert sum(expected) / a_minute == pytest.approx(minutes[time], abs=0.1, rel=0.05)


@pytest.mark.slow
def test_only_the_headers_and_methods_of_the_security_page_are_sent(
    harvest: Harvest, oauth_config: dict[str, Any]
) -> None:
    documented = re.findall(r"^\| (`.*`) \|", text("security.md").partition("| header |")[2], re.MULTILINE)
    names = {name.lower() for cell in documented for name in re.findall(r"`(.*?)`", cell)}
    sync({key: value for key, value in oauth_config.items() if key != "account_id"}, STREAM_NAMES)
    for request in harvest.requests:
        is_renewal = request.path == "/api/v2/oauth2/token"
        assert request.method == ("POST" if is_renewal else "GET")
        added = {"host", *({"content-length", "content-type"} if is_renewal else ())}
        assert request.headers.keys() <= names | added
    assert {"authorization", "harvest-account-id", "user-agent", "accept"} <= harvest.requests[-1].headers.keys()


def test_links_between_the_docs_lead_somewhere() -> None:
    for page in [*FOLDER.glob("*.md"), *FOLDER.parent.glob("*.md")]:
        for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", page.read_text())):
            if target.startswith("https:"):
                continue
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name}: {target}"
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_the_messages_of_the_troubleshooting_page_are_the_connectors_own() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(source_harvest.__path__[0]).rglob("*.py"))
    code = re.sub(r'"\n\s*f?"', "", code).replace('\\"', '"')
    tables = re.findall(
        r"^\| (?:message|line in the log) \| .*\n\|---\|---\|\n((?:\|.*\n)+)", text("troubleshooting.md"), re.MULTILINE
    )
    messages = [line.split(" | ")[0].removeprefix("| ") for table in tables for line in table.splitlines()]
    assert len(tables) == 3
    assert len(messages) > 20
    for message in messages:
        for fragment in filter(None, (piece.strip() for piece in message.split("…"))):
            assert fragment in code, fragment
