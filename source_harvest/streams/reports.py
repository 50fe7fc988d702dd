"""Reports: what was worked, spent, and not invoiced yet in each period, and how budgets stand."""

from source_harvest.stream_types.per_user import DayStream
from source_harvest.stream_types.report import ReportStream
from source_harvest.streams.expenses import Expenses
from source_harvest.streams.invoices import Invoices
from source_harvest.streams.time_entries import TimeEntries


class _TimeReport(ReportStream):
    """Hours, and what they are worth."""

    open_like = TimeEntries


class TimeClients(_TimeReport):
    """The time of a period by client.

    https://help.getharvest.com/api-v2/reports-api/reports/time-reports/
    """

    resource = "reports/time/clients"
    foreign_keys = {"client_id": "clients"}


class TimeProjects(_TimeReport):
    """The time of a period by project.

    https://help.getharvest.com/api-v2/reports-api/reports/time-reports/
    """

    resource = "reports/time/projects"
    foreign_keys = {"project_id": "projects", "client_id": "clients"}


class TimeTasks(_TimeReport):
    """The time of a period by task.

    https://help.getharvest.com/api-v2/reports-api/reports/time-reports/
    """

    resource = "reports/time/tasks"
    foreign_keys = {"task_id": "tasks"}


class TimeTeam(_TimeReport):
    """The time of a period by person.

    https://help.getharvest.com/api-v2/reports-api/reports/time-reports/
    """

    resource = "reports/time/team"
    foreign_keys = {"user_id": "users"}


class _ExpenseReport(ReportStream):
    """What was spent."""

    open_like = Expenses
    knows_fixed_fees = False


class ExpensesClients(_ExpenseReport):
    """The expenses of a period by client.

    https://help.getharvest.com/api-v2/reports-api/reports/expense-reports/
    """

    resource = "reports/expenses/clients"
    foreign_keys = {"client_id": "clients"}


class ExpensesProjects(_ExpenseReport):
    """The expenses of a period by project.

    https://help.getharvest.com/api-v2/reports-api/reports/expense-reports/
    """

    resource = "reports/expenses/projects"
    foreign_keys = {"project_id": "projects", "client_id": "clients"}


class ExpensesCategories(_ExpenseReport):
    """The expenses of a period by category.

    https://help.getharvest.com/api-v2/reports-api/reports/expense-reports/
    """

    resource = "reports/expenses/categories"
    foreign_keys = {"expense_category_id": "expense_categories"}


class ExpensesTeam(_ExpenseReport):
    """The expenses of a period by person.

    https://help.getharvest.com/api-v2/reports-api/reports/expense-reports/
    """

    resource = "reports/expenses/team"
    foreign_keys = {"user_id": "users"}


class Uninvoiced(ReportStream):
    """The time and expenses of a period that could still be invoiced, for every billable project.

    https://help.getharvest.com/api-v2/reports-api/reports/uninvoiced-report/

    What is left of a fixed fee is in each period, so do not sum these rows over periods.
    """

    resource = "reports/uninvoiced"
    open_like = Invoices
    counts = (TimeEntries, Expenses)
    lists_idle_subjects = True
    foreign_keys = {"project_id": "projects", "client_id": "clients"}


class ProjectBudget(DayStream):
    """How a project's budget stood on the day of a sync: one sync a day makes a history.

    https://help.getharvest.com/api-v2/reports-api/reports/project-budget-report/
    """

    resource = "reports/project_budget"
    primary_key = ["project_id", "snapshot_date"]
    cursor_field = "snapshot_date"
    text_keys = ("snapshot_date",)
    identified_by = ("project_id",)
    open_like = TimeEntries
    foreign_keys = {"project_id": "projects", "client_id": "clients"}
