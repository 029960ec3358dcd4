-- Corrections are summed in the other rollups of calls' money too. `tag_days` follows from `tag_quarter_hours`.
CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.call_days_corrected_mv TO {database}.call_days AS
SELECT
    toDate(charged_at) AS day, org, team, key_name, cost_center, agent, requested_model, model, provider, route,
    endpoint, streamed, outcome, code, refused_by, would_code, would_by, ladder, status, error, finish_reason,
    service_tier, price_version, price_source, usage_source,
    sum(toUInt64(c.unpriced)) AS unpriced,
    sum(toDecimal128(c.delta_usd, 9)) AS cost_usd,
    sum(toDecimal128(c.list_delta_usd, 9)) AS list_usd
FROM {database}.corrections AS c
GROUP BY day, org, team, key_name, cost_center, agent, requested_model, model, provider, route,
    endpoint, streamed, outcome, code, refused_by, would_code, would_by, ladder, status, error, finish_reason,
    service_tier, price_version, price_source, usage_source;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.run_days_corrected_mv TO {database}.run_days AS
SELECT
    toDate(charged_at) AS day, org, team, key_name, agent, run,
    sum(toUInt64(c.unpriced)) AS unpriced,
    sum(toDecimal128(c.delta_usd, 9)) AS cost_usd,
    min(c.charged_at) AS first_at,
    max(c.charged_at) AS last_at
FROM {database}.corrections AS c
WHERE run != ''
GROUP BY day, org, team, key_name, agent, run;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.tag_quarter_hours_corrected_mv TO {database}.tag_quarter_hours AS
SELECT
    toStartOfFifteenMinutes(charged_at) AS quarter, org, pair.1 AS tag, pair.2 AS value, team, key_name, model,
    provider, agent, outcome,
    sum(toUInt64(c.unpriced)) AS unpriced,
    sum(toDecimal128(c.delta_usd, 9)) AS cost_usd,
    sum(toDecimal128(c.list_delta_usd, 9)) AS list_usd
FROM {database}.corrections AS c
ARRAY JOIN CAST(c.tags, 'Array(Tuple(String, String))') AS pair
GROUP BY quarter, org, tag, value, team, key_name, model, provider, agent, outcome;
