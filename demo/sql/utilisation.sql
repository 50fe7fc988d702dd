-- How busy is everyone?
--
-- Hours against capacity, in the last three full months in the data, of people who are active today.
-- Capacity is the weekly hours for each Monday to Friday since the person was added; holidays count as working days.
-- Time entries that were deleted in Harvest are left out.
WITH present AS (
    -- in each query, not in a view, so that a query can be copied and run alone
    SELECT *
    FROM time_entries AS entry
    WHERE NOT EXISTS (
        FROM deleted_records AS gone
        WHERE gone.stream = 'time_entries' AND gone.record_id = entry.id AND gone.is_deleted
    )
),
period AS (
    -- [first_day, end_day); entries that were made for a day to come do not count as data
    SELECT
        date_trunc('month', least(max(spent_date), max(created_at)::DATE) + 1)::DATE AS end_day,
        (end_day - INTERVAL 3 MONTH)::DATE                                           AS first_day
    FROM present
),
weekdays AS (
    SELECT unnest(range(first_day, end_day, INTERVAL 1 DAY))::DATE AS day
    FROM period
),
capacity AS (
    SELECT person.id, any_value(person.first_name || ' ' || person.last_name) AS person,
        any_value(person.weekly_capacity) / 3600 / 5 * count(*) AS hours
    FROM users AS person
    JOIN weekdays ON weekdays.day >= person.created_at::DATE AND isodow(weekdays.day) <= 5
    WHERE person.is_active AND person.weekly_capacity > 0
    GROUP BY person.id
),
worked AS (
    SELECT user_id, sum(hours) AS hours, sum(hours) FILTER (billable) AS billable_hours
    FROM present JOIN period ON spent_date >= first_day AND spent_date < end_day
    GROUP BY user_id
)
SELECT
    capacity.person,
    capacity.hours                                              AS capacity,
    coalesce(worked.hours, 0)                                   AS hours,
    coalesce(worked.billable_hours, 0)                          AS billable_hours,
    100 * coalesce(worked.billable_hours, 0) / capacity.hours   AS billable_percent,
    100 * coalesce(worked.hours, 0) / capacity.hours            AS worked_percent,
    period.first_day,
    period.end_day - 1                                          AS last_day
FROM capacity
CROSS JOIN period
LEFT JOIN worked ON worked.user_id = capacity.id
ORDER BY billable_percent DESC, person
