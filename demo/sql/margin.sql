-- What is left of what clients pay, once our own time and expenses are paid?
--
-- Amount less cost by client, in the last three full months in the data, best margin first. An hour costs what the
-- person's cost rate says for the day it was worked. Cost rates are in the account's own currency, so clients who pay
-- in another one are left out. A fixed fee is earned day by day from the project's start to its end, or by what was
-- invoiced where that is more. Who has no cost rate costs nothing. Rows that were deleted in Harvest are left out.
WITH gone AS (
    SELECT stream, record_id FROM deleted_records WHERE is_deleted
),
entries AS (
    SELECT * FROM time_entries WHERE id NOT IN (SELECT record_id FROM gone WHERE stream = 'time_entries')
),
period AS (
    -- [first_day, end_day)
    SELECT
        date_trunc('month', least(max(spent_date), max(created_at)::DATE) + 1)::DATE AS end_day,
        (end_day - INTERVAL 3 MONTH)::DATE                                           AS first_day
    FROM entries
),
invoiced AS (
    SELECT line.project_id, line.amount, invoice.issue_date
    FROM invoice_line_items AS line
    JOIN invoices AS invoice ON invoice.id = line.invoice_id
    WHERE invoice.state <> 'draft'
        AND invoice.id NOT IN (SELECT record_id FROM gone WHERE stream = 'invoices')
        AND line.id NOT IN (SELECT record_id FROM gone WHERE stream = 'invoice_line_items')
),
earned AS (
    -- by the day before each end of the period
    SELECT
        project.id                                                                   AS project_id,
        bound.sign                                                                   AS sign,
        (
            SELECT coalesce(sum(amount), 0)
            FROM invoiced
            WHERE invoiced.project_id = project.id AND invoiced.issue_date < bound.day
        )                                                                            AS invoiced,
        CASE WHEN project.ends_on >= project.starts_on
             THEN project.fee * greatest(least(project.ends_on + 1, bound.day) - project.starts_on, 0)
                  / (project.ends_on + 1 - project.starts_on) END                    AS spread
    FROM projects AS project
    CROSS JOIN (
        SELECT end_day AS day, 1 AS sign FROM period
        UNION ALL SELECT first_day, -1 FROM period
    ) AS bound
    WHERE project.is_fixed_fee AND bound.day IS NOT NULL
        AND project.id NOT IN (SELECT record_id FROM gone WHERE stream = 'projects')
),
work AS (
    SELECT
        entry.project_id                                                             AS project_id,
        entry.hours                                                                  AS hours,
        CASE WHEN entry.billable AND NOT project.is_fixed_fee
             THEN coalesce(entry.rounded_hours, entry.hours) * entry.billable_rate END AS amount,
        entry.hours * coalesce(rate.amount, 0)                                       AS cost
    FROM entries AS entry
    JOIN period ON entry.spent_date >= first_day AND entry.spent_date < end_day
    JOIN projects AS project ON project.id = entry.project_id
    LEFT JOIN cost_rates AS rate ON rate.user_id = entry.user_id
        AND entry.spent_date BETWEEN coalesce(rate.start_date, '-infinity') AND coalesce(rate.end_date, 'infinity')
    UNION ALL
    SELECT expense.project_id, 0, CASE WHEN expense.billable AND NOT project.is_fixed_fee THEN expense.total_cost END,
        expense.total_cost
    FROM expenses AS expense
    JOIN period ON expense.spent_date >= first_day AND expense.spent_date < end_day
    JOIN projects AS project ON project.id = expense.project_id
    WHERE expense.id NOT IN (SELECT record_id FROM gone WHERE stream = 'expenses')
    UNION ALL
    SELECT project_id, 0, sign * greatest(invoiced, coalesce(spread, 0)), 0
    FROM earned
)
SELECT
    client.name                                                         AS client,
    sum(hours)                                                          AS hours,
    coalesce(sum(amount), 0)                                            AS amount,
    sum(cost)                                                           AS cost_amount,
    coalesce(sum(amount), 0) - sum(cost)                                AS margin_amount,
    100 * (coalesce(sum(amount), 0) - sum(cost)) / nullif(sum(amount), 0) AS margin_percent,
    client.currency                                                     AS currency,
    period.first_day,
    period.end_day - 1                                                  AS last_day
FROM work
CROSS JOIN period
JOIN projects AS project ON project.id = work.project_id
JOIN clients AS client ON client.id = project.client_id
JOIN company ON company.currency = client.currency
GROUP BY client.name, client.currency, period.first_day, period.end_day
HAVING sum(amount) > 0
ORDER BY margin_amount DESC, client
