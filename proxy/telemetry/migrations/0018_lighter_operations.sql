-- A call's row in half the room. Stage times are whole microseconds of columns of their own, rounded up, so that 0 means
-- the call did not pass the stage; of `upstream` there is what the rest of the call took, which is short. `stages_ms` is
-- how rows before had them, and workers of an older version write them. `provider_request_id` stands in `attempts` only.
ALTER TABLE {database}.operations
    ADD COLUMN IF NOT EXISTS stages_us Tuple(
        identity UInt64, read UInt64, findings UInt64, policy UInt64, estimate UInt64, hold UInt64, throttle UInt64,
        approval UInt64, dispatch UInt64, beside_upstream UInt64, relay UInt64, settle UInt64
    ) CODEC(T64, ZSTD(1)) AFTER stages_ms,
    MODIFY COLUMN charged_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    MODIFY COLUMN finished_at DateTime64(3, 'UTC') CODEC(T64('bit'), ZSTD(1)),
    MODIFY COLUMN tags Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    MODIFY COLUMN cost_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
    MODIFY COLUMN list_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
    MODIFY COLUMN held_usd Decimal(18, 9) CODEC(T64, ZSTD(1));

ALTER TABLE {database}.attempts
    MODIFY COLUMN started_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    MODIFY COLUMN cost_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1)),
    MODIFY COLUMN list_usd Nullable(Decimal(18, 9)) CODEC(T64, ZSTD(1));

DROP VIEW IF EXISTS {database}.latency_days_mv;

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
    mapFilter((stage, spent) -> spent > 0, mapAdd(
        map(
            'identity', sum(o.stages_us.identity), 'read', sum(o.stages_us.read),
            'findings', sum(o.stages_us.findings), 'policy', sum(o.stages_us.policy),
            'estimate', sum(o.stages_us.estimate), 'hold', sum(o.stages_us.hold),
            'throttle', sum(o.stages_us.throttle), 'approval', sum(o.stages_us.approval),
            'dispatch', sum(o.stages_us.dispatch),
            'upstream', sumIf(toUInt64(greatest(round(least(o.duration_ms, 1e12) * 1000) - o.stages_us.beside_upstream, 0)), o.stages_us.beside_upstream > 0),
            'relay', sum(o.stages_us.relay), 'settle', sum(o.stages_us.settle)),
        sumMap(mapApply((stage, spent) -> (toString(stage), toUInt64(round(least(greatest(spent, 0), 1e12) * 1000))), o.stages_ms)))) AS stages_us
FROM {database}.operations AS o
GROUP BY day, org, team, key_name, agent, model, provider, streamed, outcome;

ALTER TABLE {database}.operations
    MODIFY COLUMN segment UInt64 CODEC(ZSTD(1)),
    MODIFY COLUMN tool_calls UInt32 CODEC(T64, ZSTD(1)),
    MODIFY COLUMN status UInt16 CODEC(T64, ZSTD(1)),
    MODIFY COLUMN attempts UInt16 CODEC(T64, ZSTD(1));

-- Of columns that name no codec, the short words above all, LZ4 makes half as much again.
ALTER TABLE {database}.operations MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.attempts MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.decisions MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.corrections MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.spend_quarter_hours MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.spend_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.tag_quarter_hours MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.tag_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.call_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.run_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.latency_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.attempt_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.price_line_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
ALTER TABLE {database}.decision_days MODIFY SETTING default_compression_codec = 'ZSTD(1)';
