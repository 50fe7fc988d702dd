"""Estimates, and what belongs to one: line items and messages."""

from source_harvest.stream_types.embedded import EmbeddedStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.per_parent import ChangedParentsStream


class Estimates(UpdatedSince):
    """An estimate in any state.

    https://help.getharvest.com/api-v2/estimates-api/estimates/estimates/
    """

    module = "estimate"
    readable_by = "Administrators and Managers with a permission for estimates"
    limited_by_start_date = True
    business_date = "issue_date"
    foreign_keys = {"client_id": "clients", "creator_id": "users"}


class EstimateLineItems(EmbeddedStream):
    """A line of an estimate, as of the estimate's last change. Unlike a line of an invoice, it has no project.

    A line has no timestamps of its own, and Harvest does not report lines that were removed.
    """

    parent = Estimates
    parent_key = "estimate_id"
    embedded_in = "line_items"
    is_ordered = True
    cursor_field = "estimate_updated_at"
    limited_by_start_date = True
    foreign_keys = {"estimate_id": "estimates"}


class EstimateMessages(ChangedParentsStream):
    """A message that was sent about an estimate, or an event, such as that it was accepted.

    https://help.getharvest.com/api-v2/estimates-api/estimates/estimate-messages/
    """

    parent = Estimates
    parent_key = "estimate_id"
    below_parent = "messages"
    living_states = ("draft", "sent")
    foreign_keys = {"estimate_id": "estimates"}


class EstimateItemCategories(UpdatedSince):
    """A kind of line item. A line item has the name of its kind, not its id.

    https://help.getharvest.com/api-v2/estimates-api/estimates/estimate-item-categories/
    """

    module = "estimate"
