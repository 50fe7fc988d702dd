"""Reports add up to the rows that they are about."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from emulator import Harvest
from testing.emulator_client import A_YEAR, Client


def within(rows: list[Any]) -> list[Any]:
    return [row for row in rows if "2025-03-02" <= row["spent_date"] <= "2026-03-02"]


@pytest.mark.parametrize(
    ("report", "field"),
    [("clients", "client"), ("projects", "project"), ("tasks", "task"), ("team", "user")],
)
@pytest.mark.parametrize("include_fixed_fee", [True, False])
def test_time_adds_up_to_the_entries(
    report: str, field: str, include_fixed_fee: bool, harvest: Harvest, client: Client
) -> None:
    fixed = {row["id"] for row in harvest.listed("projects") if row["is_fixed_fee"]}
    expected: dict[Any, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for entry in within(harvest.listed("time_entries")):
        sums = expected[(entry[field]["id"], entry["client"]["currency"])]
        sums[0] += entry["rounded_hours"]
        if entry["billable"]:
            sums[1] += entry["rounded_hours"]
            if include_fixed_fee or entry["project"]["id"] not in fixed:
                sums[2] += entry["rounded_hours"] * (entry["billable_rate"] or 0)
    asked = {"include_fixed_fee": "true"} if include_fixed_fee else {}
    rows = client.get(f"/reports/time/{report}", **A_YEAR, **asked)["results"]
    found = {
        (row[f"{field}_id"], row["currency"]): [row["total_hours"], row["billable_hours"], row["billable_amount"]]
        for row in rows
    }
    assert found.keys() == expected.keys()
    for key, sums in expected.items():
        assert found[key] == pytest.approx(sums, abs=0.01)
    names = [row[f"{field}_name"].lower() for row in rows]
    assert names == sorted(names)


@pytest.mark.parametrize(
    ("report", "field"),
    [("clients", "client"), ("projects", "project"), ("categories", "expense_category"), ("team", "user")],
)
def test_expenses_add_up_to_the_expenses(report: str, field: str, harvest: Harvest, client: Client) -> None:
    expected: dict[Any, float] = defaultdict(float)
    for expense in within(harvest.listed("expenses")):
        expected[(expense[field]["id"], expense["client"]["currency"])] += expense["total_cost"]
    rows = client.get(f"/reports/expenses/{report}", **A_YEAR)["results"]
    assert {(row[f"{field}_id"], row["currency"]): row["total_amount"] for row in rows} == pytest.approx(dict(expected))


def test_projects_are_named_with_their_code_where_time_is_counted_and_without_where_money_is_due(
    harvest: Harvest, client: Client
) -> None:
    coded = next(row for row in harvest.listed("projects") if row["code"] and row["is_billable"])
    harvest.add("time_entries", project_id=coded["id"])
    time = {row["project_id"]: row["project_name"] for row in client.get("/reports/time/projects", **A_YEAR)["results"]}
    due = {row["project_id"]: row["project_name"] for row in client.get("/reports/uninvoiced", **A_YEAR)["results"]}
    assert time[coded["id"]] == f"[{coded['code']}] {coded['name']}"
    assert due[coded["id"]] == coded["name"]


def test_uninvoiced_lists_every_billable_project_and_can_be_negative(harvest: Harvest, client: Client) -> None:
    fixed = next(row for row in harvest.listed("projects") if row["is_fixed_fee"])
    item = {"quantity": 1.0, "unit_price": 12_600.0, "project": harvest.state.reference("project", fixed["id"])}
    harvest.add("invoices", client_id=fixed["client"]["id"], line_items=[item])
    rows = {row["project_id"]: row for row in client.get("/reports/uninvoiced", **A_YEAR)["results"]}
    assert rows.keys() == {row["id"] for row in harvest.listed("projects") if row["is_billable"]}
    assert rows[fixed["id"]]["uninvoiced_amount"] < 0
    without = client.get("/reports/uninvoiced", include_fixed_fee="false", **A_YEAR)["results"]
    row = next(row for row in without if row["project_id"] == fixed["id"])
    assert row["uninvoiced_amount"] == row["uninvoiced_expenses"]


def test_budgets_leave_out_projects_without_one(harvest: Harvest, client: Client) -> None:
    rows = client.get("/reports/project_budget")["results"]
    assert {row["project_id"] for row in rows} == {
        row["id"] for row in harvest.listed("projects") if row["budget_by"] != "none"
    }
    for row in rows:
        assert row["budget_remaining"] == pytest.approx(row["budget"] - row["budget_spent"], abs=0.011)
    active = client.get("/reports/project_budget", is_active="true")["results"]
    assert active == [row for row in rows if row["is_active"]]


def test_a_monthly_budget_counts_this_month(harvest: Harvest, client: Client) -> None:
    monthly = next(row for row in harvest.listed("projects") if row["budget_is_monthly"])

    def spent() -> float:
        rows = client.get("/reports/project_budget")["results"]
        value: float = next(row["budget_spent"] for row in rows if row["project_id"] == monthly["id"])
        return value

    before = spent()
    harvest.add("time_entries", project_id=monthly["id"], hours=3.0)
    harvest.add("time_entries", project_id=monthly["id"], hours=5.0, spent_date="2026-02-27")
    assert spent() == before + 3.0


DATED = ["time/clients", "time/team", "expenses/projects", "uninvoiced"]


@pytest.mark.parametrize("report", DATED)
@pytest.mark.parametrize("span", [{}, {"from": "20250302"}, {"from": "20250302", "to": "soon"}])
def test_a_report_asks_for_both_its_dates(report: str, span: dict[str, str], client: Client) -> None:
    answer = client.answer(f"/reports/{report}", params=span)
    assert answer.status_code == 422
    assert answer.json()["message"]


@pytest.mark.parametrize("report", DATED)
@pytest.mark.parametrize(("to", "status"), [("20220101", 200), ("2022-01-01", 200), ("20220102", 422)])
def test_a_report_spans_at_most_365_days(report: str, to: str, status: int, client: Client) -> None:
    assert client.answer(f"/reports/{report}", params={"from": "20210101", "to": to}).status_code == status


def test_reports_are_paged(harvest: Harvest, client: Client) -> None:
    pages = client.pages("/reports/time/tasks", per_page=3, **A_YEAR)
    assert len(pages) > 1
    assert [row for page in pages for row in page["results"]] == client.get("/reports/time/tasks", **A_YEAR)["results"]
