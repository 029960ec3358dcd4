"""What can be set about telemetry (flyball.yaml: `telemetry`)."""

from dataclasses import dataclass, field
from typing import Literal

from proxy.core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings:
    """Where rows go, how long they stay, and how much room they may take on the way."""

    url: str | None = field(
        default=None,
        metadata={"doc": "A ClickHouse server, http://user@host:8123/flyball; null = the embedded one."},
    )
    password: Secret | None = field(
        default=None, metadata={"doc": "The password of the user in `url` (also by password_env or password_file)."}
    )
    listen: str = field(
        default="127.0.0.1:8123",
        metadata={"doc": "Where the embedded ClickHouse answers HTTP; port 0 = any free port."},
    )
    cluster: str | None = field(
        default=None,
        metadata={
            "doc": "The cluster of the servers at `url` that our tables lie on: replicated on each shard, distributed "
            "over all; null = one server. To be set before the first start."
        },
    )
    database: str = field(default="flyball", metadata={"doc": "The database that holds our tables."})
    memory_mb: int = field(
        default=1024, metadata={"doc": "Ceiling for the embedded ClickHouse's memory, in megabytes."}
    )
    query_timeout_s: int = field(default=30, metadata={"doc": "The longest a reading query may run, in seconds."})
    result_mb: int = field(default=64, metadata={"doc": "The largest result one query may return, in megabytes."})
    threads: int = field(default=4, metadata={"doc": "Statements the embedded ClickHouse runs at once."})
    operations_days: int = field(default=400, metadata={"doc": "Days that operations are kept; whole months drop."})
    attempts_days: int = field(default=90, metadata={"doc": "Days that attempts are kept; whole weeks drop."})
    decisions_days: int = field(default=400, metadata={"doc": "Days that decisions are kept; whole months drop."})
    audit_days: int = field(
        default=2557, metadata={"doc": "Days that the audit chain is kept (seven years); whole years drop."}
    )
    otel: Literal["auto", "on", "off"] = field(
        default="auto",
        metadata={
            "doc": "Whether OpenTelemetry's spans and metrics are sent (docs/opentelemetry.md); `auto`: where "
            "OTEL_EXPORTER_OTLP_ENDPOINT, or the one for traces or metrics, is set. Needs flyball[otel]."
        },
    )
    otel_names: Literal["current", "next"] = field(
        default="current",
        metadata={"doc": "Which names of the GenAI conventions: those that are released, or those on their way."},
    )
    spool_mb: int = field(
        default=4096,
        metadata={
            "doc": "Room for rows not yet shipped, in megabytes; at 9/10 of it attempts, decisions and tool calls are "
            "shed."
        },
    )
    seal_after_ms: int = field(
        default=1000, metadata={"doc": "A segment of rows is closed for shipping at this age, in milliseconds."}
    )
    seal_bytes: int = field(
        default=4 * 1024 * 1024, metadata={"doc": "A segment of rows is closed for shipping at this size, in bytes."}
    )
    gather_ms: int = field(
        default=1000,
        metadata={
            "doc": "After a shipment, how long segments are gathered that then go out in one insert a table, in "
            "milliseconds: longer costs the collector less, and shows rows later."
        },
    )
    insert_timeout_s: int = field(default=30, metadata={"doc": "The longest one insert may take, in seconds."})
    parallel_inserts: int = field(default=2, metadata={"doc": "Segments that are sent at the same time."})
    flush_timeout_s: int = field(
        default=10, metadata={"doc": "At shutdown, how long sealed segments are still shipped, in seconds."}
    )
