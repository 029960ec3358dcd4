"""What the rows of calls come to by scope, for a ledger that must be made anew from them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from proxy.core.money import Nano
from proxy.core.usage import INPUT_BUCKETS, OUTPUT_BUCKETS
from proxy.telemetry.spend import Select, exact_nano

_NS: Final = 1_000_000_000
_SCOPES: Final = {
    "org": "concat('org:', org)",
    "overhead": "if(purpose = 'serve', '', concat('overhead:', org))",
    "team": "concat('team:', org, '/', team)",
    "key": "concat('key:', org, '/', team, '/', key_name)",
    "agent": "if(agent = '', '', concat('agent:', org, '/', agent))",
    "user": "if(end_user = '', '', concat('user:', org, '/', end_user))",
    "run": "if(run = '', '', concat('run:', org, '/', run))",
    "tag": "concat('tag:', org, '/', tag.1, '=', tag.2)",
}


class CountedQuery(NamedTuple):
    """An org's calls charged from one instant until before another, by scope of a kind and stretches of seconds."""

    org: str
    kind: str
    starts_ns: int
    ends_ns: int | None
    bucket_s: int


class CountedRow(NamedTuple):
    """What the calls of one scope for one model came to in a stretch that begins at, or holds, `at_ns`."""

    scope: str
    model: str
    at_ns: int
    cost: Nano
    input_tokens: int
    output_tokens: int
    tool_calls: int
    requests: int


def select_counted(asked: CountedQuery) -> Select:
    """The question as SQL."""
    bucket = f"intDiv(toUnixTimestamp(charged_at), {asked.bucket_s:d})" if asked.bucket_s else "0"
    parameters: dict[str, Any] = {"org": asked.org, "from": _text(asked.starts_ns)}
    until = ""
    if asked.ends_ns is not None:
        parameters["until"] = _text(asked.ends_ns)
        until = " AND charged_at < toDateTime64({until:String}, 3, 'UTC')"
    inputs, outputs = (
        " + ".join(f"{each.value}_tokens" for each in each_of) for each_of in (INPUT_BUCKETS, OUTPUT_BUCKETS)
    )
    joined = " ARRAY JOIN CAST(tags, 'Array(Tuple(String, String))') AS tag" if asked.kind == "tag" else ""
    sql = (
        f"SELECT {_SCOPES[asked.kind]} AS scope, requested_model, {bucket} AS bucket,"  # noqa: S608 - closed lists
        " toUnixTimestamp(min(charged_at)) AS at, coalesce(sum(cost_usd), 0) AS cost,"
        f" sum({inputs}), sum({outputs}), sum(tool_calls + arraySum(mapValues(tool_fees))), countIf(attempts > 0)"
        f" FROM operations{joined} WHERE org = {{org:String}}"
        f" AND charged_at >= toDateTime64({{from:String}}, 3, 'UTC'){until}"
        " GROUP BY scope, requested_model, bucket HAVING scope != ''"
    )
    return Select(sql=sql, parameters=parameters)


def read_counted(rows: Sequence[Sequence[Any]]) -> Iterator[CountedRow]:
    """The answer."""
    for scope, model, _, at_s, cost, given, made, tools, requests in rows:
        yield CountedRow(scope, model, int(at_s) * _NS, exact_nano(cost), given, made, tools, requests)


def _text(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // _NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
