-- backfilled: each table is filled from what stands in its source already before its view is made (telemetry.backfill).
-- Sums of whole UTC days (and tags of quarter-hours), so that a month of a hundred million calls is read in a moment.
--
-- A column `..._bins` is a histogram: how many calls lie in each bin of 5 %. Bin b stands for the value pow(1.05, b),
-- at most 2.5 % off. Counts of bins add up exactly, in any order, which the states of quantiles do not. A view must be able
-- to take every row: the embedded engine does not say that one has failed. Hence all the bounds.

CREATE TABLE IF NOT EXISTS {database}.spend_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    agent LowCardinality(String),
    cost_center LowCardinality(String),
    outcome LowCardinality(String),
    calls UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 9) CODEC(ZSTD(1)),
    list_usd Decimal(38, 9) CODEC(ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, model, provider, agent, cost_center, outcome)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.spend_days_mv TO {database}.spend_days AS
SELECT
    toDate(quarter) AS day, org, team, key_name, model, provider, agent, cost_center, outcome,
    sum(q.calls) AS calls,
    sum(q.unpriced) AS unpriced,
    sum(q.cost_usd) AS cost_usd,
    sum(q.list_usd) AS list_usd,
    sum(q.input_tokens) AS input_tokens,
    sum(q.cache_read_tokens) AS cache_read_tokens,
    sum(q.cache_write_tokens) AS cache_write_tokens,
    sum(q.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(q.output_tokens) AS output_tokens,
    sum(q.reasoning_tokens) AS reasoning_tokens,
    sum(q.audio_input_tokens) AS audio_input_tokens,
    sum(q.audio_output_tokens) AS audio_output_tokens,
    sum(q.image_input_tokens) AS image_input_tokens,
    sum(q.image_output_tokens) AS image_output_tokens
FROM {database}.spend_quarter_hours AS q
GROUP BY day, org, team, key_name, model, provider, agent, cost_center, outcome;

CREATE TABLE IF NOT EXISTS {database}.call_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    cost_center LowCardinality(String),
    agent LowCardinality(String),
    requested_model LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    route LowCardinality(String),
    endpoint LowCardinality(String),
    streamed Bool,
    outcome LowCardinality(String),
    code LowCardinality(String),
    refused_by LowCardinality(String),
    would_code LowCardinality(String),
    would_by LowCardinality(String),
    ladder Array(LowCardinality(String)),
    status UInt16,
    error LowCardinality(String),
    finish_reason LowCardinality(String),
    service_tier LowCardinality(String),
    price_version LowCardinality(String),
    price_source LowCardinality(String),
    usage_source LowCardinality(String),
    calls UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)),
    attempts UInt64 CODEC(T64, ZSTD(1)),
    retried UInt64 CODEC(T64, ZSTD(1)),
    tool_calls UInt64 CODEC(T64, ZSTD(1)),
    tool_fees UInt64 CODEC(T64, ZSTD(1)),
    flawed UInt64 CODEC(T64, ZSTD(1)),
    clamped UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 9) CODEC(ZSTD(1)),
    list_usd Decimal(38, 9) CODEC(ZSTD(1)),
    stated_usd Decimal(38, 9) CODEC(ZSTD(1)),
    stated UInt64 CODEC(T64, ZSTD(1)),
    overrun_usd Decimal(38, 9) CODEC(ZSTD(1)),
    request_bytes UInt64 CODEC(T64, ZSTD(1)),
    response_bytes UInt64 CODEC(T64, ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, cost_center, agent, requested_model, model, provider, route, endpoint, streamed, outcome, code, refused_by, would_code, would_by, ladder, status, error, finish_reason, service_tier, price_version, price_source, usage_source)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.call_days_mv TO {database}.call_days AS
SELECT
    toDate(charged_at) AS day, org, team, key_name, cost_center, agent, requested_model, model, provider, route,
    endpoint, streamed, outcome, code, refused_by, would_code, would_by, ladder, status, error, finish_reason,
    service_tier, price_version, price_source, usage_source,
    count() AS calls,
    countIf(o.cost_usd IS NULL AND outcome NOT IN ('refused', 'cached')) AS unpriced,
    sum(o.attempts) AS attempts,
    countIf(o.attempts > 1) AS retried,
    sum(o.tool_calls) AS tool_calls,
    sum(arraySum(mapValues(o.tool_fees))) AS tool_fees,
    countIf(notEmpty(o.usage_flaws)) AS flawed,
    countIf(o.clamped_to > 0) AS clamped,
    sum(toDecimal128(ifNull(o.cost_usd, 0), 9)) AS cost_usd,
    sum(toDecimal128(ifNull(o.list_usd, 0), 9)) AS list_usd,
    sum(toDecimal128(ifNull(o.stated_usd, 0), 9)) AS stated_usd,
    countIf(o.stated_usd IS NOT NULL) AS stated,
    sum(toDecimal128(o.overrun_usd, 9)) AS overrun_usd,
    sum(o.request_bytes) AS request_bytes,
    sum(o.response_bytes) AS response_bytes,
    sum(o.input_tokens) AS input_tokens,
    sum(o.cache_read_tokens) AS cache_read_tokens,
    sum(o.cache_write_tokens) AS cache_write_tokens,
    sum(o.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(o.output_tokens) AS output_tokens,
    sum(o.reasoning_tokens) AS reasoning_tokens,
    sum(o.audio_input_tokens) AS audio_input_tokens,
    sum(o.audio_output_tokens) AS audio_output_tokens,
    sum(o.image_input_tokens) AS image_input_tokens,
    sum(o.image_output_tokens) AS image_output_tokens
FROM {database}.operations AS o
GROUP BY day, org, team, key_name, cost_center, agent, requested_model, model, provider, route, endpoint, streamed,
    outcome, code, refused_by, would_code, would_by, ladder, status, error, finish_reason, service_tier,
    price_version, price_source, usage_source;

-- `rate`: tokens a second after the first token. `stages_us`: where the time went, by stage of the journey.
CREATE TABLE IF NOT EXISTS {database}.latency_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    agent LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    streamed Bool,
    outcome LowCardinality(String),
    calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    overhead_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    overhead_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    ttft_calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    ttft_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    ttft_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    generated_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    generating_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    rate_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    stages_us SimpleAggregateFunction(sumMap, Map(String, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, agent, model, provider, streamed, outcome)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.latency_days_mv TO {database}.latency_days AS
SELECT
    toDate(charged_at) AS day, org, team, key_name, agent, model, provider, streamed, outcome,
    count() AS calls,
    sum(toUInt64(round(least(greatest(o.duration_ms, 0), 1e12) * 1000))) AS duration_us,
    sumMap(map(toInt16(round(log(least(greatest(o.duration_ms, 0.001), 1e12)) / log(1.05))), toUInt64(1))) AS duration_bins,
    sum(toUInt64(round(least(greatest(o.overhead_ms, 0), 1e12) * 1000))) AS overhead_us,
    sumMap(map(toInt16(round(log(least(greatest(o.overhead_ms, 0.001), 1e12)) / log(1.05))), toUInt64(1))) AS overhead_bins,
    countIf(o.ttft_ms IS NOT NULL) AS ttft_calls,
    sum(toUInt64(round(least(greatest(ifNull(o.ttft_ms, 0), 0), 1e12) * 1000))) AS ttft_us,
    sumMapIf(map(toInt16(round(log(least(greatest(ifNull(o.ttft_ms, 0), 0.001), 1e12)) / log(1.05))), toUInt64(1)), o.ttft_ms IS NOT NULL) AS ttft_bins,
    sumIf(o.output_tokens + o.reasoning_tokens, o.duration_ms > o.ttft_ms) AS generated_tokens,
    sumIf(toUInt64(round(least(greatest(o.duration_ms - ifNull(o.ttft_ms, 0), 0), 1e12) * 1000)), o.duration_ms > o.ttft_ms) AS generating_us,
    sumMapIf(
        map(toInt16(round(log(least(greatest(1000 * (o.output_tokens + o.reasoning_tokens) / greatest(o.duration_ms - ifNull(o.ttft_ms, 0), 0.001), 0.001), 1e12)) / log(1.05))), toUInt64(1)),
        o.duration_ms > o.ttft_ms AND o.output_tokens + o.reasoning_tokens > 0) AS rate_bins,
    sumMap(mapApply((stage, spent) -> (toString(stage), toUInt64(round(least(greatest(spent, 0), 1e12) * 1000))), o.stages_ms)) AS stages_us
FROM {database}.operations AS o
GROUP BY day, org, team, key_name, agent, model, provider, streamed, outcome;

CREATE TABLE IF NOT EXISTS {database}.run_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    agent LowCardinality(String),
    run String CODEC(ZSTD(1)),
    calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    refused SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    failed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    unpriced SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    tool_calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(ZSTD(1)),
    given_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    made_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    busy_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    first_at SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    last_at SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, agent, run)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.run_days_mv TO {database}.run_days AS
SELECT
    toDate(charged_at) AS day, org, team, key_name, agent, run,
    count() AS calls,
    countIf(outcome = 'refused') AS refused,
    countIf(outcome IN ('upstream_error', 'truncated', 'lost')) AS failed,
    countIf(o.cost_usd IS NULL AND outcome NOT IN ('refused', 'cached')) AS unpriced,
    sum(o.tool_calls) AS tool_calls,
    sum(toDecimal128(ifNull(o.cost_usd, 0), 9)) AS cost_usd,
    sum(o.input_tokens + o.cache_read_tokens + o.cache_write_tokens + o.cache_write_1h_tokens
        + o.audio_input_tokens + o.image_input_tokens) AS given_tokens,
    sum(o.output_tokens + o.reasoning_tokens + o.audio_output_tokens + o.image_output_tokens) AS made_tokens,
    sum(toUInt64(round(least(greatest(o.duration_ms, 0), 1e12) * 1000))) AS busy_us,
    min(o.charged_at) AS first_at,
    max(o.finished_at) AS last_at
FROM {database}.operations AS o
WHERE run != ''
GROUP BY day, org, team, key_name, agent, run;

-- A call stands here once for each of its tags.
CREATE TABLE IF NOT EXISTS {database}.tag_quarter_hours
(
    quarter DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    tag LowCardinality(String),
    value String CODEC(ZSTD(1)),
    team LowCardinality(String),
    key_name LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    agent LowCardinality(String),
    outcome LowCardinality(String),
    calls UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 9) CODEC(ZSTD(1)),
    list_usd Decimal(38, 9) CODEC(ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(quarter)
PRIMARY KEY (org, quarter, tag, value)
ORDER BY (org, quarter, tag, value, team, key_name, model, provider, agent, outcome)
TTL quarter + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.tag_quarter_hours_mv TO {database}.tag_quarter_hours AS
SELECT
    toStartOfFifteenMinutes(charged_at) AS quarter, org, pair.1 AS tag, pair.2 AS value, team, key_name, model,
    provider, agent, outcome,
    count() AS calls,
    countIf(o.cost_usd IS NULL AND outcome NOT IN ('refused', 'cached')) AS unpriced,
    sum(toDecimal128(ifNull(o.cost_usd, 0), 9)) AS cost_usd,
    sum(toDecimal128(ifNull(o.list_usd, 0), 9)) AS list_usd,
    sum(o.input_tokens) AS input_tokens,
    sum(o.cache_read_tokens) AS cache_read_tokens,
    sum(o.cache_write_tokens) AS cache_write_tokens,
    sum(o.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(o.output_tokens) AS output_tokens,
    sum(o.reasoning_tokens) AS reasoning_tokens,
    sum(o.audio_input_tokens) AS audio_input_tokens,
    sum(o.audio_output_tokens) AS audio_output_tokens,
    sum(o.image_input_tokens) AS image_input_tokens,
    sum(o.image_output_tokens) AS image_output_tokens
FROM {database}.operations AS o
ARRAY JOIN CAST(o.tags, 'Array(Tuple(String, String))') AS pair
GROUP BY quarter, org, tag, value, team, key_name, model, provider, agent, outcome;

CREATE TABLE IF NOT EXISTS {database}.tag_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    tag LowCardinality(String),
    value String CODEC(ZSTD(1)),
    team LowCardinality(String),
    key_name LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    agent LowCardinality(String),
    outcome LowCardinality(String),
    calls UInt64 CODEC(T64, ZSTD(1)),
    unpriced UInt64 CODEC(T64, ZSTD(1)),
    cost_usd Decimal(38, 9) CODEC(ZSTD(1)),
    list_usd Decimal(38, 9) CODEC(ZSTD(1)),
    input_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_read_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_tokens UInt64 CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens UInt64 CODEC(T64, ZSTD(1)),
    output_tokens UInt64 CODEC(T64, ZSTD(1)),
    reasoning_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    audio_output_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_input_tokens UInt64 CODEC(T64, ZSTD(1)),
    image_output_tokens UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, tag, value)
ORDER BY (org, day, tag, value, team, key_name, model, provider, agent, outcome)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.tag_days_mv TO {database}.tag_days AS
SELECT
    toDate(quarter) AS day, org, tag, value, team, key_name, model, provider, agent, outcome,
    sum(q.calls) AS calls,
    sum(q.unpriced) AS unpriced,
    sum(q.cost_usd) AS cost_usd,
    sum(q.list_usd) AS list_usd,
    sum(q.input_tokens) AS input_tokens,
    sum(q.cache_read_tokens) AS cache_read_tokens,
    sum(q.cache_write_tokens) AS cache_write_tokens,
    sum(q.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(q.output_tokens) AS output_tokens,
    sum(q.reasoning_tokens) AS reasoning_tokens,
    sum(q.audio_input_tokens) AS audio_input_tokens,
    sum(q.audio_output_tokens) AS audio_output_tokens,
    sum(q.image_input_tokens) AS image_input_tokens,
    sum(q.image_output_tokens) AS image_output_tokens
FROM {database}.tag_quarter_hours AS q
GROUP BY day, org, tag, value, team, key_name, model, provider, agent, outcome;

-- `again`: not the first attempt of its call.
CREATE TABLE IF NOT EXISTS {database}.attempt_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    provider LowCardinality(String),
    sent_model LowCardinality(String),
    model LowCardinality(String),
    endpoint LowCardinality(String),
    purpose LowCardinality(String),
    again Bool,
    streamed Bool,
    outcome LowCardinality(String),
    status UInt16,
    error LowCardinality(String),
    service_tier LowCardinality(String),
    price_version LowCardinality(String),
    price_source LowCardinality(String),
    usage_source LowCardinality(String),
    attempts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    told_to_wait SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cost_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(ZSTD(1)),
    list_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(ZSTD(1)),
    stated_usd SimpleAggregateFunction(sum, Decimal(38, 9)) CODEC(ZSTD(1)),
    input_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    cache_write_1h_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    output_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    audio_input_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    audio_output_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    image_input_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    image_output_tokens SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    duration_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1)),
    ttft_calls SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    ttft_us SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    ttft_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, provider, sent_model, model, endpoint, purpose, again, streamed, outcome, status, error, service_tier, price_version, price_source, usage_source)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.attempt_days_mv TO {database}.attempt_days AS
SELECT
    toDate(started_at) AS day, org, team, key_name, provider, sent_model, model, endpoint, purpose, number > 1 AS
    again, streamed, outcome, status, error, service_tier, price_version, price_source, usage_source,
    count() AS attempts,
    countIf(a.retry_after_s IS NOT NULL) AS told_to_wait,
    sum(toDecimal128(ifNull(a.cost_usd, 0), 9)) AS cost_usd,
    sum(toDecimal128(ifNull(a.list_usd, 0), 9)) AS list_usd,
    sum(toDecimal128(ifNull(a.stated_usd, 0), 9)) AS stated_usd,
    sum(a.input_tokens) AS input_tokens,
    sum(a.cache_read_tokens) AS cache_read_tokens,
    sum(a.cache_write_tokens) AS cache_write_tokens,
    sum(a.cache_write_1h_tokens) AS cache_write_1h_tokens,
    sum(a.output_tokens) AS output_tokens,
    sum(a.reasoning_tokens) AS reasoning_tokens,
    sum(a.audio_input_tokens) AS audio_input_tokens,
    sum(a.audio_output_tokens) AS audio_output_tokens,
    sum(a.image_input_tokens) AS image_input_tokens,
    sum(a.image_output_tokens) AS image_output_tokens,
    sum(toUInt64(round(least(greatest(a.duration_ms, 0), 1e12) * 1000))) AS duration_us,
    sumMap(map(toInt16(round(log(least(greatest(a.duration_ms, 0.001), 1e12)) / log(1.05))), toUInt64(1))) AS duration_bins,
    countIf(a.ttft_ms IS NOT NULL) AS ttft_calls,
    sum(toUInt64(round(least(greatest(ifNull(a.ttft_ms, 0), 0), 1e12) * 1000))) AS ttft_us,
    sumMapIf(map(toInt16(round(log(least(greatest(ifNull(a.ttft_ms, 0), 0.001), 1e12)) / log(1.05))), toUInt64(1)), a.ttft_ms IS NOT NULL) AS ttft_bins
FROM {database}.attempts AS a
GROUP BY day, org, team, key_name, provider, sent_model, model, endpoint, purpose, again, streamed, outcome, status,
    error, service_tier, price_version, price_source, usage_source;

-- What each bucket of tokens and each tool came to: the unrounded lines of all bills, which have at most 34 places.
CREATE TABLE IF NOT EXISTS {database}.price_line_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    purpose LowCardinality(String),
    service_tier LowCardinality(String),
    price_version LowCardinality(String),
    price_source LowCardinality(String),
    bucket LowCardinality(String),
    usd_per_mtok LowCardinality(String),
    lines UInt64 CODEC(T64, ZSTD(1)),
    quantity UInt64 CODEC(T64, ZSTD(1)),
    usd Decimal(76, 34) CODEC(ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, provider, model, purpose, service_tier, price_version, price_source, bucket, usd_per_mtok)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.price_line_days_mv TO {database}.price_line_days AS
SELECT
    toDate(started_at) AS day, org, team, key_name, provider, model, purpose, service_tier, price_version,
    price_source, line.1 AS bucket, line.3 AS usd_per_mtok,
    count() AS lines,
    sum(line.2) AS quantity,
    sum(toDecimal256OrZero(line.4, 34)) AS usd
FROM {database}.attempts AS a
ARRAY JOIN JSONExtract(
    a.price_lines, 'Array(Tuple(bucket String, quantity UInt64, usd_per_mtok String, usd String))') AS line
GROUP BY day, org, team, key_name, provider, model, purpose, service_tier, price_version, price_source, bucket,
    usd_per_mtok;

CREATE TABLE IF NOT EXISTS {database}.decision_days
(
    day Date CODEC(DoubleDelta, ZSTD(1)),
    org LowCardinality(String),
    team LowCardinality(String),
    key_name LowCardinality(String),
    agent LowCardinality(String),
    point LowCardinality(String),
    engine LowCardinality(String),
    revision LowCardinality(String),
    shadow Bool,
    differs Bool,
    observed Bool,
    allow Bool,
    code LowCardinality(String),
    tool LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    decisions SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    obliged SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    for_approval SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    latency_ns SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
    latency_us_bins SimpleAggregateFunction(sumMap, Map(Int16, UInt64)) CODEC(ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(day)
PRIMARY KEY (org, day, team, key_name)
ORDER BY (org, day, team, key_name, agent, point, engine, revision, shadow, differs, observed, allow, code, tool, model, provider)
TTL day + INTERVAL {operations_days} DAY
SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 20000;

CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.decision_days_mv TO {database}.decision_days AS
SELECT
    toDate(decided_at) AS day, org, team, key_name, agent, point, engine, revision, shadow, differs, observed,
    allow, code, tool, model, provider,
    count() AS decisions,
    countIf(d.obligations != '[]') AS obliged,
    countIf(d.approval_id != '') AS for_approval,
    sum(toUInt64(round(least(greatest(d.latency_us, 0), 1e12) * 1000))) AS latency_ns,
    sumMap(map(toInt16(round(log(least(greatest(d.latency_us, 0.001), 1e12)) / log(1.05))), toUInt64(1))) AS latency_us_bins
FROM {database}.decisions AS d
GROUP BY day, org, team, key_name, agent, point, engine, revision, shadow, differs, observed, allow, code, tool, model,
    provider;
