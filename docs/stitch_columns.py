"""The columns that the documented Harvest integrations of Stitch and Qlik have, each with its true type.

Where those documents are wrong about a type, Harvest's own is here: quantities are decimal, `budgeted` is a boolean, a
payment gateway's name is text, and dates are dates.
"""

COLUMNS: dict[str, dict[str, str]] = {
    "clients": {
        "boolean": "is_active",
        "integer": "id",
        "string": "address currency name",
        "timestamp": "created_at updated_at",
    },
    "contacts": {
        "integer": "client_id id",
        "string": "email fax first_name last_name phone_mobile phone_office title",
        "timestamp": "created_at updated_at",
    },
    "estimate_item_categories": {
        "integer": "id",
        "string": "name",
        "timestamp": "created_at updated_at",
    },
    "estimate_line_items": {
        "boolean": "taxed taxed2",
        "integer": "estimate_id id",
        "number": "amount quantity unit_price",
        "string": "description kind",
    },
    "estimate_messages": {
        "array": "recipients",
        "boolean": "send_me_a_copy",
        "integer": "estimate_id id",
        "string": "body event_type sent_by sent_by_email sent_from sent_from_email subject",
        "timestamp": "created_at updated_at",
    },
    "estimates": {
        "date": "issue_date",
        "integer": "client_id creator_id id",
        "number": "amount discount discount_amount tax tax2 tax2_amount tax_amount",
        "string": "client_key currency notes number purchase_order state subject",
        "timestamp": "accepted_at created_at declined_at sent_at updated_at",
    },
    "expense_categories": {
        "boolean": "is_active",
        "integer": "id",
        "number": "unit_price",
        "string": "name unit_name",
        "timestamp": "created_at updated_at",
    },
    "expenses": {
        "boolean": "billable is_billed is_closed is_locked",
        "date": "spent_date",
        "integer": (
            "client_id expense_category_id id invoice_id project_id receipt_file_size user_assignment_id user_id"
        ),
        "number": "total_cost units",
        "string": "locked_reason notes receipt_content_type receipt_file_name receipt_url",
        "timestamp": "created_at updated_at",
    },
    "invoice_item_categories": {
        "boolean": "use_as_expense use_as_service",
        "integer": "id",
        "string": "name",
        "timestamp": "created_at updated_at",
    },
    "invoice_line_items": {
        "boolean": "taxed taxed2",
        "integer": "id invoice_id project_id",
        "number": "amount quantity unit_price",
        "string": "description kind",
    },
    "invoice_messages": {
        "array": "recipients",
        "boolean": "attach_pdf include_link_to_client_invoice reminder send_me_a_copy thank_you",
        "date": "send_reminder_on",
        "integer": "id invoice_id",
        "string": "body event_type sent_by sent_by_email sent_from sent_from_email subject",
        "timestamp": "created_at updated_at",
    },
    "invoice_payments": {
        "date": "paid_date",
        "integer": "id invoice_id payment_gateway_id",
        "number": "amount",
        "string": "notes payment_gateway_name recorded_by recorded_by_email transaction_id",
        "timestamp": "created_at paid_at updated_at",
    },
    "invoices": {
        "date": "due_date issue_date paid_date period_end period_start",
        "integer": "client_id creator_id estimate_id id retainer_id",
        "number": "amount discount discount_amount due_amount tax tax2 tax2_amount tax_amount",
        "string": "client_key currency notes number payment_term purchase_order state subject",
        "timestamp": "closed_at created_at paid_at sent_at updated_at",
    },
    "project_tasks": {
        "boolean": "billable is_active",
        "integer": "id project_id task_id",
        "number": "budget hourly_rate",
        "timestamp": "created_at updated_at",
    },
    "project_users": {
        "boolean": "is_active is_project_manager",
        "integer": "id project_id user_id",
        "number": "budget hourly_rate",
        "timestamp": "created_at updated_at",
    },
    "projects": {
        "boolean": (
            "budget_is_monthly cost_budget_include_expenses is_active is_billable is_fixed_fee "
            "notify_when_over_budget show_budget_to_all"
        ),
        "date": "ends_on over_budget_notification_date starts_on",
        "integer": "client_id id",
        "number": "budget cost_budget fee hourly_rate over_budget_notification_percentage",
        "string": "bill_by budget_by code name notes",
        "timestamp": "created_at updated_at",
    },
    "roles": {
        "integer": "id",
        "string": "name",
        "timestamp": "created_at updated_at",
    },
    "tasks": {
        "boolean": "billable_by_default is_active is_default",
        "integer": "id",
        "number": "default_hourly_rate",
        "string": "name",
        "timestamp": "created_at updated_at",
    },
    "time_entries": {
        "boolean": "billable budgeted is_billed is_closed is_locked is_running",
        "date": "spent_date",
        "integer": "client_id id invoice_id project_id task_assignment_id task_id user_assignment_id user_id",
        "number": "billable_rate cost_rate hours",
        "string": "external_reference_id locked_reason notes",
        "time": "ended_time started_time",
        "timestamp": "created_at timer_started_at updated_at",
    },
    "time_entry_external_reference": {
        "integer": "time_entry_id",
        "string": "external_reference_id",
    },
    "user_project_tasks": {
        "integer": "project_task_id user_id",
    },
    "user_projects": {
        "boolean": "is_active is_project_manager",
        "integer": "client_id id project_id user_id",
        "number": "budget hourly_rate",
        "timestamp": "created_at updated_at",
    },
    "user_roles": {
        "integer": "role_id user_id",
    },
    "users": {
        "boolean": (
            "can_create_invoices can_create_projects can_see_rates has_access_to_all_future_projects is_active "
            "is_admin is_contractor is_project_manager"
        ),
        "integer": "id weekly_capacity",
        "number": "cost_rate default_hourly_rate",
        "string": "avatar_url email first_name last_name telephone timezone",
        "timestamp": "created_at updated_at",
    },
}
