"""Operations as a busy company makes them, made inside ClickHouse out of nothing but their numbers.

500 keys of 50 teams of 5 orgs, some much busier than others, spread evenly over 30 days; 12 models of 3 providers,
three for each key; half of the calls in runs of about 25; log-normal durations and tokens; ids of four workers as
they make them (core/ids.py), runs' ids all random; durations, their parts and the time to the first token to the
microsecond. Eight stages are evenly spread over 5 to 9 bits each, 58 bits together, and what a call took beside the
provider is their sum and another 6 bits; a hold has 12 random bits.
"""

from typing import Final

from proxy.telemetry.stages import BESIDE, STAGES, UPSTREAM

DAYS: Final = 30
BEGINS: Final = "2026-10-01 00:00:00"
"""The first of them, UTC."""
_SPAN_MS: Final = DAYS * 86_400_000
_RATES: Final = "(0.05, 0.25, 0.4, 1.25, 3, 15)"


def rows_sql(table: str, first: int, count: int, total: int) -> str:
    """An INSERT into a table such as `operations` of those numbered from `first` on, of `total`."""
    names = ", ".join(_COLUMNS)
    values = ",\n    ".join(f"{value} AS {name}" for name, value in _COLUMNS.items())
    drawn = ",\n        ".join(f"{value} AS {name}" for name, value in _drawn(total).items())
    return f"""INSERT INTO {table} ({names})
SELECT
    {values}
FROM
(
    SELECT
        {drawn}
    FROM numbers({first}, {count})
)
SETTINGS max_insert_threads = 1, max_block_size = 262144"""


def _draw(salt: int, below: int) -> str:
    return f"(cityHash64(number, {salt}) % {below})"


def _normal(salt: int) -> str:
    even = f"(cityHash64(number, {salt}) % 1000003 + 1) / 1000004"
    return f"sqrt(-2 * log({even})) * cos(2 * pi() * {_draw(salt + 1, 1000003)} / 1000003)"


def _drawn(total: int) -> dict[str, str]:
    """What the columns are made of."""
    return {
        "n": "number",
        "at_ms": f"toUnixTimestamp('{BEGINS}', 'UTC') * 1000 + intDiv(number * {_SPAN_MS}, {total})",
        "key": f"toUInt32(500 * pow({_draw(1, 1000003)} / 1000003, 2))",
        "model_no": f"(key * 7 + {_draw(2, 3)}) % 12",
        "ends": _draw(3, 1000),
        "tokens_in": f"toUInt64(exp(7 + 1.2 * {_normal(10)}))",
        "tokens_out": f"toUInt64(exp(5 + 1.1 * {_normal(20)}))",
        "waited_us": f"toUInt64(1000 * exp(log(900) + 0.8 * {_normal(30)}))",
        "streams": f"{_draw(4, 10)} < 6",
        "worker_no": f"{_draw(5, 4)}",
        "small": "sipHash64(number, 7)",
        "run_id": f"if({_draw(8, 2)} = 0, lower(hex(sipHash128(key, intDiv(number, 25000)))), '')",
    }


_ENDS: Final = (
    "multiIf(ends < 940, 'ok', ends < 960, 'refused', ends < 985, 'upstream_error',"
    " ends < 995, 'cancelled', 'truncated')"
)
_SERVED: Final = "(ends < 940 OR ends >= 985)"
_COST: Final = (
    f"if({_SERVED}, toDecimal64((tokens_in * {_RATES}[1 + model_no % 6]) / 1000000"
    f" + (tokens_out * 5 * {_RATES}[1 + model_no % 6]) / 1000000, 9), toDecimal64(0, 9))"
).replace(_RATES, f"[{_RATES[1:-1]}]")


def _us(place: int, most: int) -> str:
    """A stage's microseconds."""
    return f"toUInt64(bitShiftRight(small, {place}) % {most} + {most // 3})"


_STAGES: Final = {
    "identity": _us(0, 40),
    "read": _us(6, 90),
    "policy": _us(13, 60),
    "estimate": _us(19, 120),
    "hold": _us(26, 700),
    "dispatch": _us(36, 150),
    "relay": _us(44, 300),
    "settle": _us(53, 500),
}
_BESIDE_US: Final = f"({' + '.join(_STAGES.values())} + 20 + cityHash64(small) % 64)"
_TOOK_US: Final = f"(waited_us + {_BESIDE_US})"
_KEPT: Final = ", ".join(
    _STAGES.get(name, f"{_BESIDE_US}" if name == BESIDE else "toUInt64(0)")
    for name in (*(BESIDE if stage == UPSTREAM else stage for stage in STAGES),)
)


_COLUMNS: Final = {
    "operation_id": "concat('op_', leftPad(lower(hex(toUInt64(at_ms))), 12, '0'), '7000',"
    " lower(hex(bitOr(bitShiftRight(sipHash64(worker_no), 2), bitShiftLeft(toUInt64(1), 63)))))",
    "charged_at": "fromUnixTimestamp64Milli(at_ms, 'UTC')",
    "finished_at": "fromUnixTimestamp64Milli(at_ms + intDiv(toInt64(" + _TOOK_US + "), 1000) + small % 2, 'UTC')",
    "org": "concat('org-', toString(key % 5))",
    "team": "concat('team-', toString(key % 50))",
    "key_id": "concat('key_', lower(hex(sipHash128(key))))",
    "key_name": "concat('key-', toString(key))",
    "cost_center": "toString(4000 + key % 50)",
    "owner": "concat('owner-', toString(key % 50))",
    "end_user": "if(key % 4 = 0, concat('user-', toString(cityHash64(n, 9) % 2000)), '')",
    "agent": "concat('agent-', toString(key % 120))",
    "run": "if(run_id = '', '', concat('run_', run_id))",
    "run_source": "if(run_id = '', '', 'header')",
    "tags": "map('env', if(n % 10 = 0, 'staging', 'prod'), 'feature', concat('f-', toString(key % 40)))",
    "endpoint": "'chat/completions'",
    "streamed": "streams",
    "requested_model": "concat('model-', toString(model_no))",
    "model": "concat('model-', toString(model_no), '-2026-05-01')",
    "provider": "['openai', 'anthropic', 'local'][1 + model_no % 3]",
    "route": "concat('route-', toString(model_no % 4))",
    "outcome": _ENDS,
    "code": "if(ends >= 940 AND ends < 960, 'budget_exceeded', '')",
    "status": "multiIf(ends < 940, 200, ends < 960, 402, ends < 985, 529, 200)",
    "attempts": "toUInt16(ends < 940 OR ends >= 960)",
    "finish_reason": "if(ends < 940, ['stop', 'length', 'tool_calls'][1 + cityHash64(n, 11) % 3], '')",
    "tool_calls": f"if({_SERVED} AND n % 5 = 0, cityHash64(n, 12) % 4, 0)",
    "input_tokens": f"if({_SERVED}, tokens_in, 0)",
    "cache_read_tokens": f"if({_SERVED} AND n % 3 = 0, intDiv(tokens_in, 128) * 128, 0)",
    "output_tokens": f"if({_SERVED}, tokens_out, 0)",
    "reasoning_tokens": f"if({_SERVED} AND model_no % 4 = 0, intDiv(tokens_out, 64) * 64, 0)",
    "usage_source": f"if({_SERVED}, 'provider', 'none')",
    "cost_usd": _COST,
    "list_usd": "cost_usd",
    "held_usd": "toDecimal64(toFloat64(cost_usd) * 2 + (small % 4096) / 1e6, 9)",
    "price_version": "concat('2026-10-', if(at_ms % 2592000000 < 1296000000, '01', '15'))",
    "price_source": f"if({_SERVED}, 'book', '')",
    "duration_ms": f"toFloat32({_TOOK_US} / 1000)",
    "ttft_ms": f"if(streams AND {_SERVED}, toFloat32(intDiv(waited_us, 4) / 1000 + (small % 1000) / 1000), NULL)",
    "overhead_ms": f"toFloat32({_BESIDE_US} / 1000)",
    "stages_us": f"tuple({_KEPT})",
    "request_bytes": "tokens_in * 4 + small % 400",
    "response_bytes": f"if({_SERVED}, tokens_out * 5 + small % 300, 90)",
    "client": "concat('openai-python/2.', toString(key % 7))",
    "error": "if(ends >= 960 AND ends < 985, 'http_529', '')",
    "policy_revision": "'3f1c9a5b2d7e4f60'",
    "decision": "if(ends >= 940 AND ends < 960, '', 'allow')",
    "config_generation": "'17'",
    "worker": "concat('host-', toString(worker_no % 2), '-', toString(intDiv(worker_no, 2)))",
    "segment": "(toUInt64(intDiv(at_ms, 1000)) * 1000 + sipHash64(worker_no) % 1000) * 1000000"
    " + sipHash64(worker_no, intDiv(at_ms, 1000)) % 1000000",
}  # fmt: skip
