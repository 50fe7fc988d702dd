"""What each table is to hold, reports included, worked out from an emulated account without the connector's help."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from emulator import Harvest
from unit_tests import tables as plain

Row = dict[str, Any]

# A first read of nine reports by month takes more than the 100 requests that Harvest allows in 15 minutes.
BY_YEAR = {"report_period": "year"}


@dataclass(frozen=True)
class Report:
    """How a report adds up time or expenses."""

    name: str
    subject: str
    columns: tuple[str, ...]
    """Besides the subject's id."""

    @property
    def counted(self) -> str:
        return "time_entries" if self.name.startswith("time_") else "expenses"

    @property
    def key(self) -> tuple[str, ...]:
        return (f"{self.subject}_id", "currency", "period_start")


REPORTS = (
    Report("time_clients", "client", ("client_name",)),
    Report("time_projects", "project", ("project_name", "client_id", "client_name")),
    Report("time_tasks", "task", ("task_name",)),
    Report("time_team", "user", ("user_name", "is_contractor", "weekly_capacity", "avatar_url")),
    Report("expenses_clients", "client", ("client_name",)),
    Report("expenses_projects", "project", ("project_name", "client_id", "client_name")),
    Report("expenses_categories", "expense_category", ("expense_category_name",)),
    Report("expenses_team", "user", ("user_name", "is_contractor")),
)
KEYS = {
    **plain.KEYS,
    **{report.name: report.key for report in REPORTS},
    "uninvoiced": ("project_id", "currency", "period_start"),
    "project_budget": ("project_id", "snapshot_date"),
}
# What reports repeat of other records: as these are called when a period is read for the last time.
REPEATED = {"client_name", "project_name", "task_name", "expense_category_name", "user_name"}
REPEATED |= {"is_contractor", "weekly_capacity", "avatar_url"}
# What a sync on the same day reads again although nothing changed.
READ_WHOLE = {"company", "roles", "user_roles", "billable_rates", "cost_rates", "teammates"}
READ_AGAIN = {*(report.name for report in REPORTS), "uninvoiced", "project_budget"}


def identity(name: str, row: Row) -> tuple[Any, ...]:
    """The values of a row's primary key."""
    return tuple(row[key] for key in KEYS.get(name, ("id",)))


def tables(harvest: Harvest) -> dict[str, list[Row]]:
    """Table -> its rows after a first sync with reports by year, for an administrator and without a start date."""
    reports = {report.name: list(_report(harvest, report)) for report in REPORTS}
    budget_rows = {"project_budget": list(budgets(harvest))}
    return {**plain.tables(harvest), **reports, "uninvoiced": list(_uninvoiced(harvest)), **budget_rows}


def year_of(day: str) -> tuple[str, str]:
    """The first and last day of the year, or of the half of a leap year, which is too long for a report."""
    year = day[:4]
    if date(int(year), 3, 1).toordinal() - date(int(year), 2, 1).toordinal() == 28:
        return f"{year}-01-01", f"{year}-12-31"
    return (f"{year}-01-01", f"{year}-06-30") if day < f"{year}-07" else (f"{year}-07-01", f"{year}-12-31")


def total(numbers: Iterable[float]) -> float:
    """A sum with two decimals."""
    exact = sum((Decimal(str(number)) for number in numbers), Decimal(0))
    return float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))


def _by_id(harvest: Harvest, name: str) -> dict[int, Row]:
    return {row["id"]: row for row in harvest.listed(name)}


def _columns(harvest: Harvest, row: Row) -> Iterator[tuple[str, Any]]:
    """All that a report may say of whom or what a row is about."""
    project, user = row["project"], _by_id(harvest, "users")[row["user"]["id"]]
    yield "client_id", row["client"]["id"]
    yield "client_name", row["client"]["name"]
    yield "project_name", f"[{project['code']}] {project['name']}" if project["code"] else project["name"]
    for name in ("task", "expense_category"):
        yield f"{name}_name", row.get(name, {}).get("name")
    yield "user_name", f"{user['first_name']} {user['last_name']}"
    yield from ((name, user[name]) for name in ("is_contractor", "weekly_capacity", "avatar_url"))


def _report(harvest: Harvest, report: Report) -> Iterator[Row]:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in harvest.listed(report.counted):
        groups[row[report.subject]["id"], row["client"]["currency"], year_of(row["spent_date"])].append(row)
    fixed = {row["id"] for row in harvest.listed("projects") if row["is_fixed_fee"]}
    for (id_, currency, (start, end)), rows in groups.items():
        shown = dict(_columns(harvest, rows[0]))
        billable = [row for row in rows if row["billable"]]
        if report.counted == "expenses":
            sums = {"total_amount": total(row["total_cost"] for row in rows)}
            sums["billable_amount"] = total(row["total_cost"] for row in billable)
        else:
            priced = [row for row in billable if row["project"]["id"] not in fixed]
            sums = {"total_hours": total(row["rounded_hours"] for row in rows)}
            sums["billable_hours"] = total(row["rounded_hours"] for row in billable)
            sums["billable_amount"] = total(row["rounded_hours"] * (row["billable_rate"] or 0) for row in priced)
        keys = {f"{report.subject}_id": id_, "currency": currency, "period_start": start, "period_end": end}
        yield {**keys, **{name: shown[name] for name in report.columns}, **sums}


def _named(project: Row) -> Row:
    client = project["client"]
    names = {"project_id": project["id"], "project_name": project["name"]}
    return {**names, "client_id": client["id"], "client_name": client["name"]}


def _of(harvest: Harvest, name: str) -> Callable[[Row], list[Row]]:
    rows = harvest.listed(name)
    return lambda project: [row for row in rows if row["project"]["id"] == project["id"]]


def _uninvoiced(harvest: Harvest) -> Iterator[Row]:
    """Every billable project stands in each period."""
    time_of, expenses_of = _of(harvest, "time_entries"), _of(harvest, "expenses")
    days = [row["spent_date"] for name in ("time_entries", "expenses") for row in harvest.listed(name)]
    months = {f"{year}-{month:02}" for year in range(2000, 2100) for month in (1, 7)}
    today = harvest.clock.now().date().isoformat()
    periods = {year_of(f"{month}-01") for month in months if month <= today}
    items = [item for row in harvest.listed("invoices") for item in row["line_items"] if item["project"]]
    for project in (row for row in harvest.listed("projects") if row["is_billable"]):
        fee = (project["fee"] or 0) - total(item["amount"] for item in items if item["project"]["id"] == project["id"])
        for start, end in (period for period in periods if period[1] >= min(days)):
            time, spent = (
                [row for row in rows if start <= row["spent_date"] <= end]
                for rows in (time_of(project), expenses_of(project))
            )
            open_time = [row for row in time if row["billable"] and not row["is_billed"]]
            expenses = total(row["total_cost"] for row in spent if row["billable"] and not row["is_billed"])
            work = (
                fee
                if project["is_fixed_fee"]
                else sum(e["rounded_hours"] * (e["billable_rate"] or 0) for e in open_time)
            )
            yield {
                **_named(project),
                "currency": project["currency"],
                "total_hours": total(entry["rounded_hours"] for entry in time),
                "uninvoiced_hours": total(entry["rounded_hours"] for entry in open_time),
                "uninvoiced_expenses": expenses,
                "uninvoiced_amount": total([work, expenses]),
                "period_start": start,
                "period_end": end,
            }


def budgets(harvest: Harvest) -> Iterator[Row]:
    """As they stand today."""
    time_of, expenses_of = _of(harvest, "time_entries"), _of(harvest, "expenses")
    today = harvest.clock.now().date().isoformat()
    for project in (row for row in harvest.listed("projects") if row["budget_by"] != "none"):
        since = today[:7] if project["budget_is_monthly"] else ""
        time, spent = (
            [row for row in rows if row["spent_date"].startswith(since)]
            for rows in (time_of(project), expenses_of(project))
        )
        is_money = project["budget_by"] in {"project_cost", "task_fees"}
        used = [entry["rounded_hours"] * ((entry["billable_rate"] or 0) if is_money else 1) for entry in time]
        used += [row["total_cost"] for row in spent] if is_money and project["cost_budget_include_expenses"] else []
        budget = project["cost_budget" if is_money else "budget"] or 0
        yield {
            **_named(project),
            **{name: project[name] for name in ("budget_is_monthly", "budget_by", "is_active")},
            "budget": budget,
            "budget_spent": total(used),
            "budget_remaining": total([budget, *(-number for number in used)]),
            "snapshot_date": today,
        }
