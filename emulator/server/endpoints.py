"""Every list of Harvest's API v2 that the emulator serves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Endpoint:
    """One list: its path, how it is paged, and the filters that it knows. Its records have the fields of its name."""

    name: str
    path: str
    style: str  # "cursor", "page", "number" (pages without links) or "bare" (a whole list, without an envelope)
    filters: str = ""
    per_page: int = 2000

    @property
    def key(self) -> str:
        """The key of the rows in the answer."""
        return "results" if self.name.startswith("report_") else self.name


_TIME_FILTERS = "updated_since from to user_id client_id project_id task_id external_reference_id is_billed is_running"
_REPORTS = (
    *("time/clients", "time/projects", "time/tasks", "time/team"),
    *("expenses/clients", "expenses/projects", "expenses/categories", "expenses/team", "uninvoiced"),
)

ENDPOINTS = (
    Endpoint("clients", "/clients", "cursor", "updated_since is_active"),
    Endpoint("contacts", "/contacts", "cursor", "updated_since client_id"),
    Endpoint("invoices", "/invoices", "page", "updated_since from to client_id project_id state", per_page=100),
    Endpoint("invoice_item_categories", "/invoice_item_categories", "cursor", "updated_since"),
    Endpoint("invoice_messages", "/invoices/{parent}/messages", "cursor", "updated_since"),
    Endpoint("invoice_payments", "/invoices/{parent}/payments", "cursor", "updated_since"),
    Endpoint("estimates", "/estimates", "page", "updated_since from to client_id state"),
    Endpoint("estimate_item_categories", "/estimate_item_categories", "cursor", "updated_since"),
    Endpoint("estimate_messages", "/estimates/{parent}/messages", "cursor", "updated_since"),
    Endpoint("expenses", "/expenses", "page", "updated_since from to user_id client_id project_id is_billed"),
    Endpoint("expense_categories", "/expense_categories", "cursor", "updated_since is_active"),
    Endpoint("tasks", "/tasks", "cursor", "updated_since is_active"),
    Endpoint("time_entries", "/time_entries", "page", _TIME_FILTERS),
    Endpoint("projects", "/projects", "cursor", "updated_since is_active client_id"),
    Endpoint("user_assignments", "/user_assignments", "cursor", "updated_since user_id is_active"),
    Endpoint("task_assignments", "/task_assignments", "cursor", "updated_since is_active"),
    Endpoint("roles", "/roles", "cursor"),
    Endpoint("users", "/users", "cursor", "updated_since is_active"),
    Endpoint("billable_rates", "/users/{parent}/billable_rates", "cursor"),
    Endpoint("cost_rates", "/users/{parent}/cost_rates", "cursor"),
    Endpoint("teammates", "/users/{parent}/teammates", "cursor", per_page=100),
    *(Endpoint(f"report_{path.replace('/', '_')}", f"/reports/{path}", "page", "from to") for path in _REPORTS),
    Endpoint("pto_types", "/pto/types", "page", "updated_since is_active"),
    Endpoint("pto_requests", "/pto/requests", "number", "updated_since from to user_id status pto_type_id"),
    Endpoint("pto_holiday_calendars", "/pto/holiday_calendars", "number"),
    Endpoint("pto_work_schedules", "/pto/work_schedules", "page", "is_active"),
    Endpoint("pto_assignments", "/pto/assignments", "bare", "user_id"),
    Endpoint("pto_allocations", "/pto/allocations", "number", "year"),
    Endpoint("report_project_budget", "/reports/project_budget", "page", "is_active"),
)

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
