"""Users."""

from source_harvest.stream import HarvestStream


class Users(HarvestStream):
    """Somebody who works with the account, archived or not.

    https://help.getharvest.com/api-v2/users-api/users/users/

    The flags are those that Harvest sent until 2022; today it sends `access_roles`, from which they follow.
    """

    readable_by = "Administrators and Managers with teammates"
    access_role_flags = {
        "is_admin": ("administrator",),
        "is_project_manager": ("manager",),
        "can_see_rates": ("administrator", "billable_rates_manager"),
        "can_create_projects": ("administrator", "project_creator"),
        "can_create_invoices": (
            "administrator",
            "managed_projects_invoice_drafter",
            "managed_projects_invoice_manager",
        ),
    }
