"""A decision's row as OPA's decision logs write a decision (OPA: Management APIs, "Decision Log Service API").

Facts of the format: an array of objects with `labels`, `decision_id`, `bundles`, `path`, `input`, `result`,
`requested_by`, `timestamp` (RFC 3339), `metrics` (`timer_…_ns`) and `erased` (JSON pointers to what was left out).
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
ALL: Final = "*"


def entries_of(lines: Iterable[bytes], labels: Mapping[str, str]) -> tuple[list[bytes], int]:
    """One entry as JSON for each spooled line, and how many lines were none."""
    found, unreadable = [], 0
    for line in lines:
        try:
            found.append(json.dumps(_entry(json.loads(line), labels), separators=(",", ":")).encode())
        except (ValueError, KeyError, TypeError, AttributeError):
            unreadable += 1
    return found, unreadable


def _entry(row: Mapping[str, Json], labels: Mapping[str, str]) -> Json:
    package = f"flyball/shadow/{row['point']}" if row.get("shadow") else f"flyball/{row['point']}"
    entry: dict[str, Json] = {
        "labels": {**labels, "worker": row.get("worker", "")},
        "decision_id": row["decision_id"],
        "bundles": {"flyball": {"revision": row.get("revision", "")}},
        "path": package,
        "result": _result(row),
        "requested_by": f"{row['org']}/{row['team']}/{row['key_name']}",
        "timestamp": row["decided_at"].replace(" ", "T") + "Z",
        "metrics": {"timer_rego_query_eval_ns": round(row.get("latency_us", 0) * 1000)},
        "custom": _ours(row),
    }
    if row.get("input"):
        entry["input"] = json.loads(row["input"])
    if row.get("unread"):
        names = [name for name in row["unread"] if name != ALL]
        entry["erased"] = [f"/input/{name.replace('.', '/')}" for name in names] or ["/input"]
    return entry


def _result(row: Mapping[str, Json]) -> Json:
    """What the package said, as far as it was kept: the told denial whole, of the others the code."""
    codes = [code for code in row.get("denials", ()) if code != row.get("code")]
    told = [{"code": row["code"], "msg": row.get("message", "")}] if row.get("code") else []
    return {
        "allow": row.get("allow", False),
        "deny": [*told, *({"code": code} for code in codes)],
        "obligations": json.loads(row.get("obligations") or "[]"),
    }


def _ours(row: Mapping[str, Json]) -> Json:
    """What OPA has no word for."""
    names = ("operation_id", "engine", "observed", "live_id", "differs", "internal", "tool", "approval_id")
    return {name: row[name] for name in names if row.get(name)}
