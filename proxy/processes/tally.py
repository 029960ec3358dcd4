"""What one worker counts of finished calls: a few additions a call, read out once a second."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, get_args

from proxy.core.money import Nano
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal
from proxy.core.usage import Bucket
from proxy.processes.metric_names import DURATION_S, OTHER, OVERHEAD_S, TTFT_S
from proxy.telemetry import AttemptRow, OperationRow
from proxy.upstream import FailureKind
from proxy.wire.endpoint import Endpoint

ENDPOINTS: Final = frozenset(endpoint.value for endpoint in Endpoint)
OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
CODES: Final = frozenset(("", *(refusal.code for refusal in Refusal)))
FAILURES: Final = frozenset(("", "in_band_error", "http_429", "http_4xx", "http_5xx", *get_args(FailureKind)))
CLASSES: Final = tuple((bucket.value, f"{bucket.value}_tokens") for bucket in Bucket)
MOST_ORGS: Final = 200
MOST_PROVIDERS: Final = 100
MOST_KINDS: Final = 100


class Names:
    """The first so many values of a label that come; all others are one."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = {""}

    def __call__(self, name: str) -> str:
        """The value as it is written."""
        if name in self._known:
            return name
        if len(self._known) > self._most:
            return OTHER
        self._known.add(name)
        return name


class Histogram:
    """Counts by bucket, and the sum in whole microseconds."""

    __slots__ = ("_bounds_ms", "counts", "sum_us")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_ms = tuple(bound * 1000 for bound in bounds_s)
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_us = 0

    def add(self, ms: float) -> None:
        """Count one, in milliseconds."""
        self.counts[bisect_left(self._bounds_ms, ms)] += 1
        self.sum_us += int(ms * 1000)

    def series(self, name: str, labels: str, bounds_s: Sequence[float]) -> Iterator[tuple[str, int]]:
        """Its lines, buckets cumulated as Prometheus has them; the sum in microseconds."""
        joined, total = labels and f"{labels},", 0
        for bound, count in zip((*(f"{bound:g}" for bound in bounds_s), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{joined}le="{bound}"}}', total
        braced = labels and f"{{{labels}}}"
        yield f"{name}_count{braced}", total
        yield f"{name}_sum{braced}", self.sum_us


class Tally:
    """Finished calls by what they were, and the requests to providers that they took."""

    def __init__(self) -> None:
        self._operations: Counter[tuple[str, str, str]] = Counter()
        self._attempts: Counter[tuple[str, str, str]] = Counter()
        self._nano: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._duration: dict[str, Histogram] = {}
        self._ttft: dict[str, Histogram] = {}
        self._overhead = Histogram(OVERHEAD_S)
        self._org, self._provider = Names(MOST_ORGS), Names(MOST_PROVIDERS)

    def add(self, row: OperationRow, attempts: Sequence[AttemptRow], cost: Nano | None) -> None:
        """Count one finished call."""
        endpoint = row.endpoint if row.endpoint in ENDPOINTS else OTHER
        provider = self._provider(row.provider)
        outcome = row.outcome if row.outcome in OUTCOMES else OTHER
        self._operations[endpoint, outcome, row.code if row.code in CODES else OTHER] += 1
        if cost:
            self._nano[self._org(row.org), provider] += cost
        if row.usage_source != "none":
            for name, column in CLASSES:
                if count := getattr(row, column):
                    self._tokens[provider, name] += count
        if (duration := self._duration.get(endpoint)) is None:
            duration = self._duration[endpoint] = Histogram(DURATION_S)
        duration.add(row.duration_ms)
        self._overhead.add(row.overhead_ms)
        if row.ttft_ms is not None:
            if (ttft := self._ttft.get(provider)) is None:
                ttft = self._ttft[provider] = Histogram(TTFT_S)
            ttft.add(row.ttft_ms)
        for attempt in attempts:
            ended = attempt.outcome if attempt.outcome in OUTCOMES else OTHER
            self._attempts[self._provider(attempt.provider), ended, failure_of(attempt.error)] += 1

    def series(self) -> dict[str, int]:
        """All of it as lines of the page, without their values' units."""
        said: dict[str, int] = {}
        for (endpoint, outcome, code), count in self._operations.items():
            said[f'flyball_operations_total{{endpoint="{endpoint}",outcome="{outcome}",code="{code}"}}'] = count
            if code:
                refused = f'flyball_refusals_total{{code="{code}"}}'
                said[refused] = said.get(refused, 0) + count
        for (org, provider), nano in self._nano.items():
            said[f'flyball_spend_nanodollars_total{{org="{escaped(org)}",provider="{escaped(provider)}"}}'] = nano
        for (provider, name), count in self._tokens.items():
            said[f'flyball_tokens_total{{provider="{escaped(provider)}",class="{name}"}}'] = count
        for (provider, outcome, failure), count in self._attempts.items():
            labels = f'provider="{escaped(provider)}",outcome="{outcome}",failure="{failure}"'
            said[f"flyball_upstream_attempts_total{{{labels}}}"] = count
        for endpoint, histogram in self._duration.items():
            said.update(histogram.series("flyball_duration_seconds", f'endpoint="{endpoint}"', DURATION_S))
        for provider, histogram in self._ttft.items():
            said.update(histogram.series("flyball_ttft_seconds", f'provider="{escaped(provider)}"', TTFT_S))
        said.update(self._overhead.series("flyball_overhead_seconds", "", OVERHEAD_S))
        return said


def failure_of(error: str) -> str:
    """What failed of an attempt, from a closed list; `error` is the row's column."""
    error = error.removesuffix(" (not sent)")
    if error in FAILURES:
        return error
    if error.startswith("http_4"):
        return "http_4xx"
    return "http_5xx" if error.startswith("http_5") else OTHER


def escaped(value: str) -> str:
    """A label's value as the text format has it."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
