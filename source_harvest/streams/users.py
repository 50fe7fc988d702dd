"""Users, what an hour of each is worth, and who manages whom."""

from collections.abc import Iterator
from datetime import datetime

from typing_extensions import override

from source_harvest.state.progress import StreamProgress
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.per_parent import PerParentStream


class Users(UpdatedSince):
    """Somebody who works with the account, archived or not.

    https://help.getharvest.com/api-v2/users-api/users/users/

    Harvest sent flags such as `is_admin` until 2022. Today it sends `access_roles`, from which they are computed.
    """

    is_suggested = True
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


class _PerUserList(PerParentStream):
    """What Harvest lists for one user at a time, without saying for whom."""

    parent = Users
    parent_key = "user_id"
    foreign_keys = {"user_id": "users"}

    @override
    def probe(self) -> None:
        self.list_reader.probe(self.place, {self.parent_key: self._account.user(self.place)["id"]})


class BillableRates(_PerUserList):
    """What an hour of a user is billed at, from one day to another.

    https://help.getharvest.com/api-v2/users-api/users/billable-rates/

    It is the user's default, for projects that have no rate of their own.
    """

    readable_by = "Administrators and Managers who may see billable rates"
    below_parent = "billable_rates"


class CostRates(_PerUserList):
    """What an hour of a user costs the company, from one day to another.

    https://help.getharvest.com/api-v2/users-api/users/cost-rates/
    """

    readable_by = "Administrators"
    below_parent = "cost_rates"


class Teammates(_PerUserList):
    """A user whom a manager manages.

    https://help.getharvest.com/api-v2/users-api/users/teammates/
    """

    primary_key = ["user_id", "id"]
    readable_by = "Administrators"
    below_parent = "teammates"
    nothing_there = (404, 422)  # the user is gone, or was made no manager meanwhile

    @override
    def _to_visit(self, progress: StreamProgress, began: datetime) -> Iterator[int]:
        for id_ in super()._to_visit(progress, began):
            roles = self._parents[id_]["access_roles"]
            if not isinstance(roles, list) or "manager" in roles:
                yield id_
