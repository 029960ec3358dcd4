"""Alerts as the outbox would keep them."""

from typing import Any

from proxy.budget import Alert, Alerting, AlertSettings, Claim, Delivery, LineKind, Receiver, Unit
from proxy.core.money import ZERO, Nano
from proxy.core.secret import Secret

AT_NS = 1_795_168_800 * 10**9
OPS = Receiver(name="ops", url=Secret("https://ops.example/flyball"), kind="webhook")


def alert(number: int = 1, **changes: Any) -> Alert:
    """80 % of acme's month."""
    values: dict[str, Any] = {
        "id": f"alr_{number:032x}",
        "at_ns": AT_NS,
        "kind": "alert",
        "subject": LineKind.BUDGET,
        "budget": "acme-month",
        "org": "acme",
        "scope": "org:acme",
        "window": "2026-11",
        "resets_at_ns": 1_796_079_600 * 10**9,
        "unit": Unit.USD,
        "fraction_millionths": 800_000,
        "limit": Nano(500 * 10**9),
        "spent": Nano(401_250_000_000),
        "held": Nano(3 * 10**9),
        "overrun": ZERO,
        "hard": True,
    }
    return Alert(**{**values, **changes})


def raised(alerting: Alerting, *alerts: Alert) -> None:
    """Raise alerts that `ops` has taken, as it says; one if none are given."""
    alerting.use(AlertSettings(), [OPS])
    for each in alerts or (alert(),):
        claim = Claim(key=each.id, amount=0, until_ns=None)
        alerting.outbox.put([(each, claim, ["ops"])], each.at_ns)
        taken = Delivery(receiver="ops", state="sent", attempts=1, next_ns=each.at_ns, status=200, error="")
        alerting.outbox.told(each.id, taken)
