"""The account's rows, as the API sends them.

All rows of a client share one dict for their reference to it, such as `client {id, name}`. So a rename shows in all of
them at once and leaves their `updated_at`, as at Harvest, and a page of rows is ready to be written as JSON.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]

CHILDREN = {
    "invoice_messages": "invoices",
    "invoice_payments": "invoices",
    "estimate_messages": "estimates",
    "billable_rates": "users",
    "cost_rates": "users",
}

# The id before the first one of each table. Ids only grow, so the row with the highest id is the newest.
FIRST_IDS = {
    "clients": 9_104_211,
    "contacts": 7_350_118,
    "projects": 31_207_466,
    "tasks": 17_822_305,
    "users": 4_011_702,
    "roles": 1_290_554,
    "user_assignments": 388_150_027,
    "task_assignments": 341_906_613,
    "estimates": 3_770_940,
    "invoices": 38_442_190,
    "expenses": 46_018_822,
    "time_entries": 3_105_466_204,  # beyond 32 bits since 2024
    "estimate_item_categories": 2_660_311,
    "invoice_item_categories": 2_933_540,
    "expense_categories": 8_504_127,
    "invoice_messages": 81_377_904,
    "invoice_payments": 22_016_355,
    "estimate_messages": 6_120_488,
    "billable_rates": 1_804_266,
    "cost_rates": 1_155_093,
    "line_items": 190_455_310,
    "pto_types": 21_406,
    "pto_requests": 730_215,
    "pto_request_days": 2_190_644,
    "pto_holiday_calendars": 8_118,
    "pto_holidays": 97_302,
    "pto_work_schedules": 14_571,
    "pto_allocations": 410_933,
}

# Rows inside other rows, which have no list.
EMBEDDED = {"line_items", "pto_request_days", "pto_holidays"}

_ASSIGNMENT = "is_active created_at updated_at hourly_rate budget"

# Every shape of reference in a row: the table that it points to, and the fields that it shows.
_SHAPES = {
    "client": ("clients", "id name"),
    "client_with_currency": ("clients", "id name currency"),
    "project": ("projects", "id name code"),
    "task": ("tasks", "id name"),
    "user": ("users", "id name"),
    "expense_category": ("expense_categories", "id name unit_price unit_name"),
    "user_assignment": ("user_assignments", f"id is_project_manager use_default_rates {_ASSIGNMENT}"),
    "task_assignment": ("task_assignments", f"id billable {_ASSIGNMENT}"),
    "invoice": ("invoices", "id number"),
    "estimate": ("estimates", "id"),
    "pto_type": ("pto_types", "id name color icon"),
    "holiday_calendar": ("pto_holiday_calendars", "id name"),
    "work_schedule": ("pto_work_schedules", "id name"),
}
SHAPES = {name: (table, tuple(fields.split())) for name, (table, fields) in _SHAPES.items()}

_NEWEST_BY = {
    "time_entries": itemgetter("spent_date", "id"),
    "expenses": itemgetter("spent_date", "id"),
    "invoices": itemgetter("issue_date", "id"),
    "estimates": itemgetter("issue_date", "id"),
}


class Table:
    """The rows of one list, by id and in Harvest's order."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.rows: dict[int, Row] = {}
        self._listed: list[Row] | None = None

    def listed(self) -> list[Row]:
        """All rows in Harvest's order. Do not change the list."""
        if self._listed is None:
            rows = list(self.rows.values())
            if self._name in {"billable_rates", "cost_rates"}:
                rows.sort(key=lambda row: (row["start_date"] or "", row["id"]))
            else:
                rows.sort(key=_NEWEST_BY.get(self._name, itemgetter("id")), reverse=True)
            self._listed = rows
        return self._listed

    def reorder(self) -> None:
        """Forget the order: a row was added, deleted or changed."""
        self._listed = None


class State:
    """All tables, the references between their rows, and values computed since the last change."""

    def __init__(self) -> None:
        self.tables = {name: Table(name) for name in FIRST_IDS if name not in {*CHILDREN, *EMBEDDED}}
        self._children: dict[str, dict[int, Table]] = {name: {} for name in CHILDREN}
        self.parents: dict[str, dict[int, int]] = {name: {} for name in CHILDREN}
        self.teammates: dict[int, list[int]] = {}
        self.time_off_of: dict[int, tuple[int | None, int | None]] = {}  # user -> holiday calendar, work schedule
        self.running: set[int] = set()
        self._ids = dict(FIRST_IDS)
        self._references: dict[tuple[str, int], dict[str, Row]] = {}
        self._computed: dict[Any, Any] = {}

    def new_id(self, table: str) -> int:
        """The next id of a table."""
        self._ids[table] += 1
        return self._ids[table]

    def table(self, name: str, parent_id: int | None = None) -> Table:
        """The table with that name; for a list of children, the table of one parent."""
        if name not in CHILDREN:
            return self.tables[name]
        if parent_id is None:
            raise TypeError(f"{name} belong to one of the {CHILDREN[name]}: give its id")
        return self._children[name].setdefault(parent_id, Table(name))

    def table_with(self, name: str, row_id: int) -> Table:
        """The table that holds the row, whatever its parent."""
        return self.table(name, self.parents[name][row_id] if name in CHILDREN else None)

    def row(self, name: str, row_id: int) -> Row:
        """The row itself, not a copy. Raises `KeyError` if it does not exist."""
        return self.table_with(name, row_id).rows[row_id]

    def put(self, name: str, row: Row, parent_id: int | None = None) -> Row:
        """Add a complete row. It changes no other row."""
        table = self.table(name, parent_id)
        table.rows[row["id"]] = row
        if parent_id is not None:
            self.parents[name][row["id"]] = parent_id
        if row.get("is_running"):
            self.running.add(row["id"])
        table.reorder()
        self._computed.clear()
        return row

    def drop(self, name: str, row_id: int) -> Row:
        """Remove a row and its children. It changes no other row."""
        table = self.table_with(name, row_id)
        row = table.rows.pop(row_id)
        self.parents.get(name, {}).pop(row_id, None)
        self.running.discard(row_id)
        for child in (child for child, parent in CHILDREN.items() if parent == name):
            for child_id in self._children[child].pop(row_id, Table(child)).rows:
                del self.parents[child][child_id]
        table.reorder()
        self._computed.clear()
        return row

    def changed(self, name: str, row: Row) -> None:
        """Update the references to a row whose fields were set, and the order of its list."""
        for shape, reference in self._references.get((name, row["id"]), {}).items():
            reference.update(_shown(row, SHAPES[shape][1]))
        if name == "time_entries":
            (self.running.add if row["is_running"] else self.running.discard)(row["id"])
        self.table_with(name, row["id"]).reorder()
        self._computed.clear()

    def reference(self, shape: str, row_id: int) -> Row:
        """The dict that all other rows share as their reference to the row."""
        table, fields = SHAPES[shape]
        made = self._references.setdefault((table, row_id), {})
        if shape not in made:
            made[shape] = _shown(self.tables[table].rows[row_id], fields)
        return made[shape]

    def computed(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The result of `compute`, kept under `key` until the account changes."""
        if key not in self._computed:
            self._computed[key] = compute()
        return self._computed[key]


def full_name(user: Row) -> str:
    """The name of a user as references show it."""
    return f"{user['first_name']} {user['last_name']}"


def _shown(row: Row, fields: tuple[str, ...]) -> Row:
    return {key: full_name(row) if key == "name" and "first_name" in row else row[key] for key in fields}
