-- What did we work for whom, and what is it worth?
--
-- Hours and billable amount by client and month, in the last three months that have time entries.
-- Amounts are hours at their rates, in the client's currency. Projects with a fixed fee add hours but no amount, as in
-- Harvest's own reports. Time entries that were deleted in Harvest are left out.
WITH present AS (
    -- in each query, not in a view, so that a query can be copied and run alone
    SELECT *
    FROM time_entries AS entry
    WHERE NOT EXISTS (
        FROM deleted_records AS gone
        WHERE gone.stream = 'time_entries' AND gone.record_id = entry.id AND gone.is_deleted
    )
),
entries AS (
    SELECT
        date_trunc('month', entry.spent_date)                  AS month,
        coalesce(client.name, entry.client ->> 'name')         AS client,
        coalesce(client.currency, entry.client ->> 'currency') AS currency,
        coalesce(entry.rounded_hours, entry.hours)             AS hours,
        entry.billable                                         AS is_billable,
        CASE WHEN project.is_fixed_fee THEN 0 ELSE entry.billable_rate END AS rate
    FROM present AS entry
    LEFT JOIN projects AS project ON project.id = entry.project_id
    LEFT JOIN clients AS client ON client.id = project.client_id
),
period AS (
    SELECT
        (max(month) - INTERVAL 2 MONTH)::DATE                  AS first_day,
        (max(month) + INTERVAL 1 MONTH)::DATE - 1              AS last_day
    FROM entries
)
SELECT
    strftime(month, '%Y-%m')                                  AS month,
    client,
    sum(hours)                                                AS hours,
    coalesce(sum(hours) FILTER (is_billable), 0)              AS billable,
    coalesce(sum(hours * rate) FILTER (is_billable), 0)       AS amount,
    currency,
    first_day,
    last_day
FROM entries
JOIN period ON month >= first_day
GROUP BY ALL
ORDER BY month, amount DESC, client
