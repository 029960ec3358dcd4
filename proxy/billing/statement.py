"""A statement: what one team is charged for one month, in a form whose hash anybody can work out again.

The hash is the SHA-256 of the statement as JSON without its member `hash`: keys sorted, no spaces, UTF-8.
"""

import json
from hashlib import sha256
from typing import Final, Literal

import msgspec

from proxy.core.money import Nano, to_usd_text

VERSION: Final = 1


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What one key used of one model in the period. `cost` is charged; `recorded_nano` of it is what the calls cost
    when they were made, the rest came by reprices."""

    cost_center: str
    key: str
    provider: str
    model: str
    calls: int
    unpriced_calls: int
    tokens: dict[str, int]
    list_usd: str
    list_nano: int
    cost_usd: str
    cost_nano: int
    recorded_nano: int


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What became known of a closed period after it was closed: calls that came late, or a reprice."""

    of_period: str
    why: Literal["late", "reprice"]
    cost_center: str
    key: str
    provider: str
    model: str
    calls: int
    amount_usd: str
    amount_nano: int


class Negotiated(msgspec.Struct, frozen=True, kw_only=True):
    """A line that people agreed on."""

    id: str
    kind: str
    cost_center: str
    note: str
    amount_usd: str
    amount_nano: int


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What one team of an org is charged for a period; team "" has the lines that are the org's as a whole.

    Times are RFC 3339 in UTC; `timezone` is the one whose calendar cuts the period. `allow_unpriced` was said where
    `unpriced_calls` is not 0: those calls are in no sum. `previous_hash` is the team's statement before, "" for none.
    """

    version: int = VERSION
    number: int
    org: str
    team: str
    period: str
    timezone: str
    starts_at: str
    ends_at: str
    closed_at: str
    closed_by: str
    usage: tuple[Usage, ...]
    adjustments: tuple[Correction, ...]
    negotiated: tuple[Negotiated, ...]
    usage_usd: str
    usage_nano: int
    adjustments_usd: str
    adjustments_nano: int
    negotiated_usd: str
    negotiated_nano: int
    total_usd: str
    total_nano: int
    unpriced_calls: int
    allow_unpriced: bool
    price_versions: tuple[str, ...]
    previous_hash: str
    hash: str = ""


def hash_of(statement: Statement) -> str:
    """The hash that a statement must have."""
    content = msgspec.to_builtins(statement)
    del content["hash"]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def sealed(statement: Statement) -> Statement:
    """The statement with its hash."""
    return msgspec.structs.replace(statement, hash=hash_of(statement))


def usd(nano: int) -> str:
    """An amount as it stands in statements."""
    return to_usd_text(Nano(nano))
