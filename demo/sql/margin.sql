-- What is left of what clients pay, once our own time is paid?
--
-- Amount less cost by client, in the last three full months in the data, best margin first. An hour costs what the
-- person's cost rate says for the day it was worked. Cost rates are in the account's own currency, so clients who pay
-- in another one are left out, and so are projects with a fixed fee, whose hours have no price. Who has no cost rate
-- costs nothing. Time entries that were deleted in Harvest are left out.
WITH present AS (
    SELECT *
    FROM time_entries AS entry
    WHERE NOT EXISTS (
        FROM deleted_records AS gone
        WHERE gone.stream = 'time_entries' AND gone.record_id = entry.id AND gone.is_deleted
    )
),
period AS (
    -- [first_day, end_day)
    SELECT
        date_trunc('month', least(max(spent_date), max(created_at)::DATE) + 1)::DATE AS end_day,
        (end_day - INTERVAL 3 MONTH)::DATE                                           AS first_day
    FROM present
),
work AS (
    SELECT
        client.name                                                                  AS client,
        client.currency                                                              AS currency,
        first_day,
        end_day - 1                                                                  AS last_day,
        entry.hours                                                                  AS hours,
        CASE WHEN entry.billable THEN coalesce(entry.rounded_hours, entry.hours) * entry.billable_rate END AS amount,
        entry.hours * coalesce(rate.amount, 0)                                       AS cost
    FROM present AS entry
    JOIN period ON entry.spent_date >= first_day AND entry.spent_date < end_day
    JOIN projects AS project ON project.id = entry.project_id AND NOT project.is_fixed_fee
    JOIN clients AS client ON client.id = project.client_id
    JOIN company ON company.currency = client.currency
    LEFT JOIN cost_rates AS rate ON rate.user_id = entry.user_id
        AND entry.spent_date BETWEEN coalesce(rate.start_date, '-infinity') AND coalesce(rate.end_date, 'infinity')
)
SELECT
    client,
    sum(hours)                                                          AS hours,
    coalesce(sum(amount), 0)                                            AS amount,
    sum(cost)                                                           AS cost_amount,
    coalesce(sum(amount), 0) - sum(cost)                                AS margin_amount,
    100 * (coalesce(sum(amount), 0) - sum(cost)) / nullif(sum(amount), 0) AS margin_percent,
    currency,
    first_day,
    last_day
FROM work
GROUP BY client, currency, first_day, last_day
HAVING sum(amount) > 0
ORDER BY margin_amount DESC, client
