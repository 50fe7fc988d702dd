"""Expenses and their categories."""

from source_harvest.stream_types.incremental import UpdatedSince


class Expenses(UpdatedSince):
    """Money spent on a project.

    https://help.getharvest.com/api-v2/expenses-api/expenses/expenses/

    Everybody may read expenses. Members see their own, Managers also those of their teammates and projects.
    """

    is_suggested = True
    module = "expense"
    readable_by = "everyone, unless the account has expenses switched off"
    limited_by_start_date = True
    business_date = "spent_date"
    foreign_keys = {
        "client_id": "clients",
        "project_id": "projects",
        "expense_category_id": "expense_categories",
        "user_id": "users",
        "user_assignment_id": "project_users",
        "invoice_id": "invoices",
    }
    flattened = {"receipt": ("url", "file_name", "file_size", "content_type")}


class ExpenseCategories(UpdatedSince):
    """What an expense can be for.

    https://help.getharvest.com/api-v2/expenses-api/expenses/expense-categories/
    """

    is_suggested = True
    module = "expense"
