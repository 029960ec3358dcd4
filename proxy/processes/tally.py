"""What one worker counts of finished calls: a few additions a call, read out once a second."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple, get_args

from proxy.core.money import Nano
from proxy.core.outcome import Outcome
from proxy.core.refusal import Refusal
from proxy.core.usage import Bucket
from proxy.processes.metric_names import DURATION_S, OTHER, OVERHEAD_S, TTFT_S
from proxy.telemetry import AttemptRow, OperationRow
from proxy.upstream import FailureKind
from proxy.wire.endpoint import Endpoint
from proxy.wire.provider_errors import CONTENT_FILTER, CONTEXT_LENGTH

ENDPOINTS: Final = frozenset(endpoint.value for endpoint in Endpoint)
OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
CODES: Final = frozenset(("", *(refusal.code for refusal in Refusal)))
FAILURES: Final = frozenset(
    ("", CONTEXT_LENGTH, CONTENT_FILTER, "in_band_error", "http_429", "http_4xx", "http_5xx", *get_args(FailureKind))
)
CLASSES: Final = tuple(bucket.value for bucket in Bucket)
_tokens_of: Final = attrgetter(*(f"{name}_tokens" for name in CLASSES))
MOST_ORGS: Final = 200
MOST_PROVIDERS: Final = 100
MOST_KINDS: Final = 100
MOST_MODELS: Final = 100
MOST_KEYS: Final = 5000


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
    """Counts by bucket, and the sum."""

    __slots__ = ("_bounds_ms", "counts", "sum_ms")

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_ms = tuple(bound * 1000 for bound in bounds_s)
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_ms = 0.0

    def add(self, ms: float) -> None:
        """Count one, in milliseconds."""
        self.counts[bisect_left(self._bounds_ms, ms)] += 1
        self.sum_ms += ms

    def series(self, name: str, labels: str, bounds_s: Sequence[float]) -> Iterator[tuple[str, int]]:
        """Its lines, buckets cumulated as Prometheus has them; the sum in microseconds."""
        joined, total = labels and f"{labels},", 0
        for bound, count in zip((*(f"{bound:g}" for bound in bounds_s), "+Inf"), self.counts, strict=True):
            total += count
            yield f'{name}_bucket{{{joined}le="{bound}"}}', total
        braced = labels and f"{{{labels}}}"
        yield f"{name}_count{braced}", total
        yield f"{name}_sum{braced}", round(self.sum_ms * 1000)


class Cell(NamedTuple):
    """Where calls of one kind are counted: boxes that it shares with calls of other kinds."""

    calls: list[int]
    nano: list[int]
    tokens: list[int]
    duration: Histogram
    ttft: Histogram


class Tally:
    """Finished calls by what they were, and the requests to providers that they took.

    What a call is counted under is found by one look-up; names are checked when that is made, once for each kind.
    """

    def __init__(self) -> None:
        self._cells: dict[tuple[str, ...], Cell] = {}
        self._boxes: dict[tuple[str, ...], list[int]] = {}
        self._operations: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0])
        self._attempts: defaultdict[tuple[str, ...], list[int]] = defaultdict(lambda: [0])
        self._nano: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0])
        self._tokens: defaultdict[str, list[int]] = defaultdict(lambda: [0] * len(CLASSES))
        self._duration: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(DURATION_S))
        self._ttft: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(TTFT_S))
        self._overhead = Histogram(OVERHEAD_S)
        self._org, self._provider = Names(MOST_ORGS), Names(MOST_PROVIDERS)

    def add(self, row: OperationRow, attempts: Sequence[AttemptRow], cost: Nano | None) -> None:
        """Count one finished call."""
        key = (row.endpoint, row.outcome, row.code, row.provider, row.org)
        calls, nano, tokens, duration, ttft = self._cells.get(key) or self._cell(key)
        calls[0] += 1
        if cost:
            nano[0] += cost
        if row.usage_source != "none":
            for place, count in enumerate(_tokens_of(row)):
                if count:
                    tokens[place] += count
        duration.add(row.duration_ms)
        self._overhead.add(row.overhead_ms)
        if row.ttft_ms is not None:
            ttft.add(row.ttft_ms)
        for attempt in attempts:
            one = (attempt.provider, attempt.outcome, attempt.error)
            (self._boxes.get(one) or self._box(one))[0] += 1

    def _cell(self, key: tuple[str, str, str, str, str]) -> Cell:
        """The cell of a kind of calls; remembered, unless very many are."""
        endpoint, outcome, code, provider, org = key
        endpoint = endpoint if endpoint in ENDPOINTS else OTHER
        outcome = outcome if outcome in OUTCOMES else OTHER
        provider = self._provider(provider)
        cell = Cell(
            self._operations[endpoint, outcome, code if code in CODES else OTHER],
            self._nano[self._org(org), provider],
            self._tokens[provider],
            self._duration[endpoint],
            self._ttft[provider],
        )
        if len(self._cells) < MOST_KEYS:
            self._cells[key] = cell
        return cell

    def _box(self, key: tuple[str, str, str]) -> list[int]:
        """The same of a kind of attempts."""
        provider, outcome, error = key
        box = self._attempts[self._provider(provider), outcome if outcome in OUTCOMES else OTHER, failure_of(error)]
        if len(self._boxes) < MOST_KEYS:
            self._boxes[key] = box
        return box

    def series(self) -> dict[str, int]:
        """All of it as lines of the page, without their values' units."""
        said = self._of_calls()
        for (provider, outcome, failure), (count,) in self._attempts.items():
            labels = f'provider="{escaped(provider)}",outcome="{outcome}",failure="{failure}"'
            said[f"flyball_upstream_attempts_total{{{labels}}}"] = count
        for endpoint, histogram in self._duration.items():
            said.update(histogram.series("flyball_duration_seconds", f'endpoint="{endpoint}"', DURATION_S))
        for provider, histogram in self._ttft.items():
            if any(histogram.counts):
                said.update(histogram.series("flyball_ttft_seconds", f'provider="{escaped(provider)}"', TTFT_S))
        said.update(self._overhead.series("flyball_overhead_seconds", "", OVERHEAD_S))
        return said

    def _of_calls(self) -> dict[str, int]:
        said: dict[str, int] = {}
        for (endpoint, outcome, code), (count,) in self._operations.items():
            said[f'flyball_operations_total{{endpoint="{endpoint}",outcome="{outcome}",code="{code}"}}'] = count
            if code:
                refused = f'flyball_refusals_total{{code="{code}"}}'
                said[refused] = said.get(refused, 0) + count
        for (org, provider), (nano,) in self._nano.items():
            said[f'flyball_spend_nanodollars_total{{org="{escaped(org)}",provider="{escaped(provider)}"}}'] = nano
        for provider, counts in self._tokens.items():
            told = zip(CLASSES, counts, strict=True)
            labels = f'provider="{escaped(provider)}"'
            said |= {f'flyball_tokens_total{{{labels},class="{name}"}}': count for name, count in told if count}
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
