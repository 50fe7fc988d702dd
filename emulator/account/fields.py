"""The fields of every record that Harvest's API v2 sends, with their types and whether they may be null.

The notation of `FIELDS`, with the fields of each record in the order in which Harvest sends them:

    id:int             a field that is never null
    notes:str?         a field that may be null
    client{...}        an object; `client{...}?` may be null
    line_items[...]    a list of objects; `roles[str]` is a list of values
    currency:str!      a field that users without the right to see it do not get, not even as null

Types: int, num, str, bool, date (2026-03-02), stamp (2026-03-02T09:00:00Z), time (local, "3:00pm" or "15:00").
"""

from __future__ import annotations

_STAMPS = "created_at:stamp updated_at:stamp"
_CLIENT = "client{id:int name:str}"
_PAYING_CLIENT = "client{id:int name:str currency:str}"
_PROJECT = "project{id:int name:str code:str?}"
_TASK = "task{id:int name:str}"
_USER = "user{id:int name:str}"
_CREATOR = "creator{id:int name:str}?"
_USER_ASSIGNMENT = (
    "user_assignment{id:int is_project_manager:bool is_active:bool use_default_rates:bool budget:num?"
    " created_at:stamp updated_at:stamp hourly_rate:num?}?"
)
_TASK_ASSIGNMENT = (
    "task_assignment{id:int billable:bool is_active:bool created_at:stamp updated_at:stamp hourly_rate:num?"
    " budget:num?}?"
)
_ITEM = "kind:str description:str? quantity:num unit_price:num amount:num taxed:bool taxed2:bool"
_MONEY = "amount:num {due} tax:num? tax_amount:num? tax2:num? tax2_amount:num? discount:num? discount_amount:num?"
_SENDER = "sent_by:str? sent_by_email:str? sent_from:str? sent_from_email:str?"
_RECIPIENTS = "recipients[name:str? email:str?]"
_TIME_TOTALS = "total_hours:num billable_hours:num currency:str! billable_amount:num!"
_EXPENSE_TOTALS = "total_amount:num billable_amount:num currency:str"
_PTO_TYPE = "pto_type{id:int name:str color:str? icon:str?}"
_ACCRUAL = (
    "accrual_type:str? accrual_schedule:str? accrual_first_payday:date? accrual_leave_hours:num?"
    " accrual_worked_hours:num? accrual_max_hours_per_year:num?"
)
_WEEK = (
    "monday_hours:num tuesday_hours:num wednesday_hours:num thursday_hours:num friday_hours:num saturday_hours:num"
    " sunday_hours:num"
)
_RATE = f"id:int amount:num start_date:date? end_date:date? {_STAMPS}"

FIELDS = {
    "clients": f"id:int name:str is_active:bool address:str? statement_key:str currency:str {_STAMPS}",
    "contacts": (
        f"id:int title:str? first_name:str last_name:str? email:str? phone_office:str? phone_mobile:str? fax:str?"
        f" {_STAMPS} invoice_recipient_status:str? {_CLIENT}"
    ),
    "company": (
        "base_uri:str full_domain:str name:str is_active:bool week_start_day:str wants_timestamp_timers:bool"
        " time_format:str date_format:str plan_type:str clock:str currency_code_display:str"
        " currency_symbol_display:str decimal_symbol:str thousands_separator:str color_scheme:str"
        " weekly_capacity:int expense_feature:bool invoice_feature:bool estimate_feature:bool"
        " approval_feature:bool team_feature:bool currency:str? saml_sign_in_required:bool?"
        " day_entry_notes_required:bool?"
    ),
    "invoices": (
        f"id:int client_key:str number:str purchase_order:str? {_MONEY.format(due='due_amount:num')} subject:str?"
        f" notes:str? state:str period_start:date? period_end:date? issue_date:date due_date:date?"
        f" payment_term:str? payment_options[str]? sent_at:stamp? paid_at:stamp? paid_date:date? closed_at:stamp?"
        f" recurring_invoice_id:int? {_STAMPS} currency:str {_CLIENT} estimate{{id:int}}? retainer{{id:int}}?"
        f" {_CREATOR} line_items[id:int {_ITEM} {_PROJECT}?]"
    ),
    "invoice_item_categories": f"id:int name:str use_as_service:bool use_as_expense:bool {_STAMPS}",
    "invoice_messages": (
        f"id:int {_SENDER} include_link_to_client_invoice:bool? send_me_a_copy:bool? thank_you:bool?"
        f" reminder:bool? send_reminder_on:date? {_STAMPS} attach_pdf:bool? event_type:str? {_RECIPIENTS}"
        " subject:str? body:str?"
    ),
    "invoice_payments": (
        "id:int amount:num paid_at:stamp? paid_date:date? recorded_by:str? recorded_by_email:str? notes:str?"
        f" transaction_id:str? {_STAMPS} payment_gateway{{id:int? name:str?}}"
    ),
    "estimates": (
        f"id:int client_key:str number:str purchase_order:str? {_MONEY.format(due='')} subject:str? notes:str?"
        f" state:str issue_date:date sent_at:stamp? {_STAMPS} accepted_at:stamp? declined_at:stamp? currency:str"
        f" {_CLIENT} {_CREATOR} line_items[id:int {_ITEM}]"
    ),
    "estimate_item_categories": f"id:int name:str {_STAMPS}",
    "estimate_messages": (
        f"id:int {_SENDER} send_me_a_copy:bool? {_STAMPS} {_RECIPIENTS} event_type:str? subject:str? body:str?"
    ),
    "expenses": (
        f"id:int notes:str? total_cost:num units:num? is_closed:bool approval_status:str? is_locked:bool"
        f" is_explicitly_locked:bool? is_billed:bool locked_reason:str? spent_date:date {_STAMPS} billable:bool"
        " reimbursement:bool? receipt{url:str file_name:str file_size:int content_type:str}?"
        f" {_USER} {_USER_ASSIGNMENT}"
        f" {_PROJECT} expense_category{{id:int name:str unit_price:num? unit_name:str?}}"
        f" {_PAYING_CLIENT} invoice{{id:int number:str}}?"
    ),
    "expense_categories": f"id:int name:str unit_name:str? unit_price:num? is_active:bool {_STAMPS}",
    "tasks": (
        f"id:int name:str billable_by_default:bool default_hourly_rate:num? is_default:bool is_active:bool {_STAMPS}"
    ),
    "time_entries": (
        "id:int spent_date:date hours:num hours_without_timer:num? rounded_hours:num? notes:str? is_locked:bool"
        " locked_reason:str? approval_status:str? is_closed:bool is_billed:bool is_explicitly_locked:bool?"
        " timer_started_at:stamp? started_time:time? ended_time:time? is_running:bool billable:bool budgeted:bool"
        f" billable_rate:num?! cost_rate:num?! {_STAMPS} {_USER} {_PAYING_CLIENT}"
        f" {_PROJECT} {_TASK} {_USER_ASSIGNMENT}"
        f" {_TASK_ASSIGNMENT}"
        " external_reference{id:str group_id:str? account_id:str? permalink:str? service:str?"
        " service_icon_url:str?}? invoice{id:int number:str}?"
    ),
    "projects": (
        "id:int name:str code:str? is_active:bool is_billable:bool is_fixed_fee:bool bill_by:str hourly_rate:num?"
        " budget:num? budget_by:str budget_is_monthly:bool notify_when_over_budget:bool?"
        " over_budget_notification_percentage:num? over_budget_notification_date:date? show_budget_to_all:bool?"
        f" cost_budget:num? cost_budget_include_expenses:bool? fee:num? notes:str? starts_on:date? ends_on:date?"
        f" {_STAMPS} currency:str? {_PAYING_CLIENT}"
    ),
    "user_assignments": (
        "id:int is_project_manager:bool is_active:bool use_default_rates:bool? budget:num?"
        f" {_STAMPS} hourly_rate:num? {_PROJECT} {_USER}"
    ),
    "task_assignments": (
        f"id:int billable:bool is_active:bool {_STAMPS} hourly_rate:num? budget:num? {_PROJECT} {_TASK}"
    ),
    "roles": f"id:int name:str user_ids[int] {_STAMPS}",
    "users": (
        "id:int first_name:str last_name:str email:str telephone:str? timezone:str? weekly_capacity:int?"
        " has_access_to_all_future_projects:bool? is_contractor:bool? is_active:bool"
        " calendar_integration_enabled:bool? calendar_integration_source:str? employee_id:str?"
        f" can_create_projects:bool? default_hourly_rate:num?! cost_rate:num?! roles[str] access_roles[str]"
        f" permissions_claims[str]? avatar_url:str? saml_exempt:bool? {_STAMPS}"
    ),
    "billable_rates": _RATE,
    "cost_rates": _RATE,
    "teammates": "id:int first_name:str? last_name:str? email:str?",
    "pto_types": (
        f"id:int name:str color:str? icon:str? {_ACCRUAL} default_days_per_year:num? max_carryover_days:num?"
        f" requires_approval:bool visible_to_all:bool is_active:bool {_STAMPS}"
    ),
    "pto_requests": (
        "id:int status:str start_date:date end_date:date days:num? business_days_at_submission:num?"
        " start_time_minutes:int? end_time_minutes:int? notes:str? review_reason:str? reviewed_at:stamp?"
        f" {_USER} {_PTO_TYPE} reviewer{{id:int name:str}}?"
        f" request_days[id:int date:date hours:num day_fraction:num] {_STAMPS}"
    ),
    "pto_holiday_calendars": f"id:int name:str entries_count:int entries[id:int name:str date:date] {_STAMPS}",
    "pto_work_schedules": f"id:int name:str is_default:bool is_active:bool weekly_hours:num {_WEEK} {_STAMPS}",
    "pto_assignments": (
        f"{_USER} holiday_calendar{{id:int name:str}}? work_schedule{{id:int name:str}}?"
        " effective_work_schedule{name:str weekly_hours:num}"
    ),
    "pto_allocations": (
        f"id:int year:int {_USER} {_PTO_TYPE} {_ACCRUAL} days_per_year:num? carryover_days:num?"
        " requires_approval:bool? effective_days_per_year:num? effective_accrual_type:str?"
        f" effective_accrual_schedule:str? effective_requires_approval:bool? {_STAMPS}"
    ),
    "report_time_clients": f"client_id:int client_name:str? {_TIME_TOTALS}",
    "report_time_projects": f"project_id:int project_name:str? client_id:int? client_name:str? {_TIME_TOTALS}",
    "report_time_tasks": f"task_id:int task_name:str? {_TIME_TOTALS}",
    "report_time_team": (
        f"user_id:int user_name:str? is_contractor:bool? weekly_capacity:int? avatar_url:str? {_TIME_TOTALS}"
    ),
    "report_expenses_clients": f"client_id:int client_name:str? {_EXPENSE_TOTALS}",
    "report_expenses_projects": (f"project_id:int project_name:str? client_id:int? client_name:str? {_EXPENSE_TOTALS}"),
    "report_expenses_categories": (f"expense_category_id:int expense_category_name:str? {_EXPENSE_TOTALS}"),
    "report_expenses_team": f"user_id:int user_name:str? is_contractor:bool? {_EXPENSE_TOTALS}",
    "report_uninvoiced": (
        "client_id:int client_name:str project_id:int project_name:str currency:str total_hours:num"
        " uninvoiced_hours:num uninvoiced_expenses:num uninvoiced_amount:num"
    ),
    "report_project_budget": (
        "project_id:int project_name:str client_id:int client_name:str budget_is_monthly:bool budget_by:str"
        " is_active:bool budget:num?! budget_spent:num?! budget_remaining:num?!"
    ),
}
