-- How much time off has everybody taken this year, and how much is left?
--
-- Balances as Harvest counted them at the last sync, of people who are active today. Kinds of time off that have no
-- limit, or of which somebody has no days, are left out.
SELECT
    person.first_name || ' ' || person.last_name                        AS person,
    policy.name                                                         AS time_off,
    balance.used_days                                                   AS days_taken,
    balance.pending_days                                                AS days_asked_for,
    balance.remaining_days                                              AS days_left,
    100 * balance.used_days / nullif(balance.available_days, 0)         AS taken_percent,
    date_trunc('year', balance.snapshot_date)::DATE                     AS first_day,
    balance.snapshot_date                                               AS last_day
FROM pto_balances AS balance
JOIN users AS person ON person.id = balance.user_id AND person.is_active
JOIN pto_types AS policy ON policy.id = balance.pto_type_id
WHERE balance.snapshot_date = (SELECT max(snapshot_date) FROM pto_balances)
    AND NOT balance.is_unlimited AND balance.available_days > 0
ORDER BY taken_percent DESC, person, time_off
