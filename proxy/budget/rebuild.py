"""What counters must say by the rows of calls: for a ledger that is new while the calls' rows are not."""

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final, NamedTuple, Protocol

from proxy.budget.budget import Budget
from proxy.budget.ledger import Unit
from proxy.budget.scopes import kind_of
from proxy.budget.windows import WindowKind
from proxy.core.money import ZERO, Nano
from proxy.state import StateFile

_BUCKETS: Final = 60
_NS: Final = 1_000_000_000
_OPENINGS: Final = "SELECT id, opening_window, opening_nano FROM budgets WHERE opening_nano > 0"


class Question(NamedTuple):
    """What the rows are asked: an org's calls charged from one instant until before another (None: until now), summed
    by scope of a kind, by model and by stretches of `bucket_s` seconds (0: one stretch)."""

    org: str
    kind: str
    starts_ns: int
    ends_ns: int | None
    bucket_s: int


class Sums(NamedTuple):
    """What the calls of one scope for one model came to in a stretch that holds the instant `at_ns`."""

    scope: str
    model: str
    at_ns: int
    cost: Nano
    input_tokens: int
    output_tokens: int
    tool_calls: int
    requests: int

    def of(self, unit: Unit) -> int:
        """In a budget's unit; slots are none, since no call is under way."""
        return {
            Unit.USD: self.cost,
            Unit.TOKENS: self.input_tokens + self.output_tokens,
            Unit.INPUT_TOKENS: self.input_tokens,
            Unit.OUTPUT_TOKENS: self.output_tokens,
            Unit.TOOL_CALLS: self.tool_calls,
            Unit.REQUESTS: self.requests,
            Unit.SLOTS: 0,
        }[unit]


class Total(NamedTuple):
    """What a counter must say: what was spent, with the opening spend, which `opening` says alone."""

    spent: Nano
    opening: Nano
    kept_until_ns: int | None


Totals = Mapping[tuple[str, str], Total]
"""By counter and window."""


class RebuildableBook(Protocol):
    """Counters that remember whether they were ever made what the rows say.

    Raises:
        LedgerUnavailable: the ledger's store cannot be reached.
    """

    def is_rebuilt(self) -> bool:
        """Whether the mark stands that `mark_rebuilt` sets; it goes where the counters go."""
        ...

    def restore(self, totals: Totals, *, exactly: bool = False) -> None:
        """Let each counter say at least that, or `exactly` that; any number of hosts may do so at once."""
        ...

    def mark_rebuilt(self) -> None:
        """Say that calls may be held by these counters."""
        ...


def questions(budgets: Sequence[Budget], now_ns: int) -> dict[Question, list[Budget]]:
    """What the rows must be asked, and for which budgets: those of one org, kind and window together."""
    asked: dict[Question, list[Budget]] = {}
    for budget in budgets:
        if budget.unit is not Unit.SLOTS:
            asked.setdefault(_question(budget, now_ns), []).append(budget)
    return asked


def totals(
    answers: Mapping[Question, Sequence[Sums]], budgets: Sequence[Budget], state: StateFile, now_ns: int
) -> dict[tuple[str, str], Total]:
    """What every counter must say that is open now, by the answers and by the opening spends."""
    found: dict[tuple[str, str], Total] = dict(_openings(budgets, state, now_ns))
    own = _own(budgets)
    for question, asked_for in questions(budgets, now_ns).items():
        for sums in answers.get(question, ()):
            for budget in asked_for:
                if _counts(budget, sums, own):
                    _add(found, budget, sums)
    return found


def _question(budget: Budget, now_ns: int) -> Question:
    kind = kind_of(budget.scope)
    if budget.window is WindowKind.ROLLING:
        bucket_s = budget.length_s // _BUCKETS
        first_ns = budget.window_at(now_ns - (budget.length_s + bucket_s) * _NS).starts_ns
        return Question(budget.org, kind, first_ns, None, bucket_s)
    window = budget.window_at(now_ns)
    return Question(budget.org, kind, window.starts_ns, window.ends_ns, 0)


def _add(found: dict[tuple[str, str], Total], budget: Budget, sums: Sums) -> None:
    window = budget.window_at(sums.at_ns)
    counter = (budget.counter_of(sums.scope), window.name)
    was = found.get(counter) or Total(ZERO, ZERO, budget.kept_until_ns(window))
    found[counter] = was._replace(spent=Nano(was.spent + sums.of(budget.unit)))


def _counts(budget: Budget, sums: Sums, own: Mapping[str, Sequence[Budget]]) -> bool:
    """Whether such calls count there; as BudgetCatalog.lines_for decides it for a call."""
    if not _of_model(budget, sums.model):
        return False
    if not budget.is_pattern:
        return budget.scope == sums.scope
    if not sums.scope.startswith(budget.scope[:-1]):
        return False
    return not any(
        each.unit is budget.unit and each.kind is budget.kind and _of_model(each, sums.model)
        for each in own.get(sums.scope, ())
    )


def _of_model(budget: Budget, model: str) -> bool:
    return not budget.models or any(fnmatchcase(model, pattern) for pattern in budget.models)


def _own(budgets: Sequence[Budget]) -> Mapping[str, Sequence[Budget]]:
    own: dict[str, list[Budget]] = {}
    for budget in budgets:
        if not budget.is_pattern:
            own.setdefault(budget.scope, []).append(budget)
    return own


def _openings(budgets: Sequence[Budget], state: StateFile, now_ns: int) -> Iterator[tuple[tuple[str, str], Total]]:
    with state.read() as connection:
        stated = {number: (window, amount) for number, window, amount in connection.execute(_OPENINGS)}
    for budget in budgets:
        window = budget.window_at(now_ns)
        name, amount = stated.get(budget.id, ("", 0))
        rolls = budget.window is WindowKind.ROLLING and name >= (budget.counted_from(window) or "")
        if amount and (rolls or name == window.name):
            yield (budget.id, name), Total(Nano(amount), Nano(amount), budget.kept_until_ns(window))
