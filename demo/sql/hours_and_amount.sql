-- What did we work for whom, and what is it worth?
--
-- Hours and billable amount by client and month, the last three months that have time entries.
-- Amounts are hours at their rates, in the client's currency; projects with a fixed fee add hours
-- but no amount, as in Harvest's own reports.
WITH entries AS (
    SELECT
        date_trunc('month', entry.spent_date)                  AS month,
        coalesce(client.name, entry.client ->> 'name')         AS client,
        coalesce(client.currency, entry.client ->> 'currency') AS currency,
        coalesce(entry.rounded_hours, entry.hours)             AS hours,
        entry.billable                                         AS is_billable,
        CASE WHEN project.is_fixed_fee THEN 0 ELSE entry.billable_rate END AS rate
    FROM time_entries AS entry
    LEFT JOIN projects AS project ON project.id = entry.project_id
    LEFT JOIN clients AS client ON client.id = project.client_id
)
SELECT
    strftime(month, '%Y-%m')                                  AS month,
    client,
    sum(hours)                                                AS hours,
    coalesce(sum(hours) FILTER (is_billable), 0)              AS billable,
    coalesce(sum(hours * rate) FILTER (is_billable), 0)       AS amount,
    currency
FROM entries
WHERE month > (SELECT max(month) - INTERVAL 3 MONTH FROM entries)
GROUP BY ALL
ORDER BY month, amount DESC, client
