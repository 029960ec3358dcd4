"""docs/metrics.md, written from the table of metrics."""

import sys
from collections.abc import Iterator
from typing import Final

from proxy.processes.metric_names import LABELS, METRICS


def page() -> Iterator[str]:
    """docs/metrics.md, line by line."""
    yield from _HEAD
    yield "| metric | kind | labels | tells |"
    yield "|---|---|---|---|"
    for metric in METRICS:
        labels = ", ".join(f"`{name}`" for name in metric.labels)
        buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in metric.buckets)} s." if metric.buckets else ""
        yield f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help}{buckets} |"
    yield from (
        "",
        "## Labels",
        "Values that are in no list below become `other`.",
        "",
        "| label | values |",
        "|---|---|",
    )
    for name, values in LABELS.items():
        yield f"| `{name}` | {values} |"


_HEAD: Final = (
    "# Metrics",
    "",
    "`GET /metrics` on the admin port tells the numbers of all workers, of the collector and of the supervisor of this "
    "host together, in Prometheus' text format; `server.metrics_token` asks for a bearer token.",
    "Each worker keeps its numbers in memory and leaves them in a file once a second; no call waits for that. A worker "
    "that dies takes what it counted in its last second with it; counters never go back when it is started again.",
    "A label's values come from the configuration or from a closed list: never from a client. So the page cannot grow "
    "beyond what is configured, and no secret and no text of a user stands in it.",
    "",
    "Written from the code by `python -m proxy.processes.describe_metrics`; a test compares the two.",
    "",
    "## All of them",
)

if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
