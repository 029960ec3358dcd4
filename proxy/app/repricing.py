"""What recorded calls would have cost at another price version: the arithmetic of a reprice, without any store.

The truth is what was used, never what was billed: each attempt's own token buckets, priced anew and rounded once per
attempt, as when it was made. Where a call's one attempt is no longer kept its operation has the same buckets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from hashlib import sha256
from typing import Final

from proxy.core.clock import stamp
from proxy.core.money import NANO_PER_USD, ZERO, Nano
from proxy.core.outcome import Outcome
from proxy.core.usage import Usage, UsageSource
from proxy.pricing import PriceBook, PricingSettings, load_book, price
from proxy.telemetry import CorrectionRow, RecordedCost, Used
from proxy.upstream import Provider, ProviderSettings
from proxy.wire.profile import PROFILES

CURRENT: Final = "current"
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class BadTarget(ValueError):
    """A price version that calls cannot be repriced to; the message says what to do."""


class Kept(Enum):
    """Why a call keeps the cost that it has."""

    SAME = "costs the same"
    LOST = "lost with its worker: charged at its hold, nothing is known of its tokens"
    INCOMPLETE = "its attempts are no longer kept"
    NO_PRICE = "the other price version has no price for it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The prices to reprice to. `on` takes the rates of that day for every call; None takes those of the call's own.

    `label` is what corrections name it: the book's version, with the day where there is one.
    """

    book: PriceBook
    on: date | None = None

    @property
    def label(self) -> str:
        """The name of these prices."""
        return self.book.version + (f"@{self.on.isoformat()}" if self.on else "")


def target_of(text: str, settings: PricingSettings) -> Target:
    """What `--to` names: `current`, the version of the configured prices, or a day whose rates are to count.

    Raises:
        BadTarget: neither of these.
        BadPrices: the configured prices cannot be read.
    """
    book = load_book(settings)
    if text in (CURRENT, book.version):
        return Target(book=book)
    try:
        return Target(book=book, on=date.fromisoformat(text))
    except ValueError:
        raise BadTarget(
            f"{text!r} is neither a day (2026-11-01) nor {book.version}, the version of the configured prices; "
            f"put the prices meant into prices.overlay and reprice to {CURRENT!r}"
        ) from None


def price_providers(providers: Mapping[str, ProviderSettings]) -> dict[str, str]:
    """The price book's name of every configured provider; one that is configured no longer is taken by its name."""
    known = {name: profile.price_provider for name, profile in PROFILES.items()}
    return known | {name: Provider.of(name, each).profile.price_provider for name, each in providers.items()}


class Repricer:
    """Prices calls anew."""

    def __init__(self, target: Target, providers: Mapping[str, str], reason: str) -> None:
        """`providers` gives the price book's name of a provider; `reason` stands in every correction."""
        self.target: Final = target
        self._providers = providers
        self._reason = reason

    def correction(self, recorded: RecordedCost, made_at_ns: int) -> CorrectionRow | Kept:
        """By how much a call's present cost is to change, or why it stays as it is."""
        found = self._costs(recorded)
        if isinstance(found, Kept):
            return found
        cost, list_cost = found
        if (recorded.cost, recorded.list_cost) == (cost, list_cost):
            return Kept.SAME
        return CorrectionRow(
            correction_id=_id_of(recorded, self.target.label),
            operation_id=recorded.operation_id,
            charged_at=stamp(recorded.charged_ms * 1_000_000),
            made_at=stamp(made_at_ns),
            **recorded.names,
            delta_usd=signed_usd(Nano(cost - (recorded.cost or 0))),
            list_delta_usd=signed_usd(Nano(list_cost - (recorded.list_cost or 0))),
            unpriced=-1 if recorded.cost is None else 0,
            from_version=recorded.version,
            to_version=self.target.label,
            reason=self._reason,
        )

    def _costs(self, recorded: RecordedCost) -> tuple[Nano, Nano] | Kept:
        if recorded.names["outcome"] == Outcome.LOST.value:
            return Kept.LOST
        used = recorded.used if len(recorded.used) == recorded.attempts else ()
        if not used and recorded.attempts == 1:
            used = (recorded.own,)
        if not used:
            return Kept.INCOMPLETE
        cost = list_cost = ZERO
        for each in used:
            found = self._priced(each, recorded)
            if found is None:
                return Kept.NO_PRICE
            cost, list_cost = Nano(cost + found[0]), Nano(list_cost + found[1])
        return cost, list_cost

    def _priced(self, used: Used, recorded: RecordedCost) -> tuple[Nano, Nano] | None:
        if used.source == UsageSource.NONE.value:
            return ZERO, ZERO
        at = _EPOCH + timedelta(milliseconds=recorded.charged_ms)
        names = list(dict.fromkeys(name for name in (*used.models, recorded.names["requested_model"]) if name))
        on = at if self.target.on is None else datetime.combine(self.target.on, time(), UTC)
        entry = self.target.book.find(self._providers.get(used.provider, ""), names, on)
        if entry is None:
            return None
        usage = Usage(
            tokens=used.tokens, tool_calls=used.tool_calls, service_tier=used.service_tier or None, units=used.units
        )
        priced = price(usage, entry, at)
        if any(unit in priced.unpriced for unit in used.units):
            return None
        return priced.cost, priced.list_cost


def signed_usd(amount: Nano) -> str:
    """Nano-dollars of either sign as dollars with all nine digits, as the columns keep them."""
    whole, rest = divmod(abs(amount), NANO_PER_USD)
    return f"{'-' if amount < 0 else ''}{whole}.{rest:09d}"


def _id_of(recorded: RecordedCost, label: str) -> str:
    """The same for the same step of the same call, whoever takes it."""
    told = f"{recorded.operation_id} {label} {recorded.corrections}"
    return f"cor_{sha256(told.encode()).hexdigest()[:32]}"
