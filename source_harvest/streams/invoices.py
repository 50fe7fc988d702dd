"""Invoices, and what belongs to one: line items, messages, payments."""

from source_harvest.stream_types.embedded import EmbeddedStream
from source_harvest.stream_types.incremental import UpdatedSince
from source_harvest.stream_types.per_parent import ChangedParentsStream


class Invoices(UpdatedSince):
    """An invoice in any state.

    https://help.getharvest.com/api-v2/invoices-api/invoices/invoices/

    A recorded payment changes its `updated_at`. What else changes it is only partly known.
    """

    is_suggested = True
    module = "invoice"
    readable_by = "Administrators and Managers with a permission for invoices"
    limited_by_start_date = True
    business_date = "issue_date"
    foreign_keys = {"client_id": "clients", "estimate_id": "estimates", "creator_id": "users"}
    flattened = {"retainer": ("id",)}


class InvoiceLineItems(EmbeddedStream):
    """A line of an invoice, as of the invoice's last change.

    A line has no timestamps of its own, and Harvest does not report lines that were removed.
    """

    is_suggested = True
    parent = Invoices
    parent_key = "invoice_id"
    embedded_in = "line_items"
    is_ordered = True
    cursor_field = "invoice_updated_at"
    limited_by_start_date = True
    foreign_keys = {"invoice_id": "invoices", "project_id": "projects"}


class InvoiceMessages(ChangedParentsStream):
    """A message that was sent about an invoice, or an event, such as that it was closed.

    https://help.getharvest.com/api-v2/invoices-api/invoices/invoice-messages/
    """

    parent = Invoices
    parent_key = "invoice_id"
    below_parent = "messages"
    living_states = ("draft", "open")
    foreign_keys = {"invoice_id": "invoices"}


class InvoicePayments(ChangedParentsStream):
    """A payment towards an invoice.

    https://help.getharvest.com/api-v2/invoices-api/invoices/invoice-payments/
    """

    parent = Invoices
    parent_key = "invoice_id"
    below_parent = "payments"
    living_states = ("draft", "open")
    foreign_keys = {"invoice_id": "invoices"}
    flattened = {"payment_gateway": ("id", "name")}


class InvoiceItemCategories(UpdatedSince):
    """A kind of line item. A line item has the name of its kind, not its id.

    https://help.getharvest.com/api-v2/invoices-api/invoices/invoice-item-categories/
    """

    module = "invoice"
    readable_by = "Administrators and Managers"
