"""Ids that sort by the time they were made: UUIDv7 (RFC 9562 §5.7) behind a prefix."""

import os
import random
import time
from struct import Struct
from typing import Final, Literal, TypeAlias

Prefix: TypeAlias = Literal[
    "op", "att", "key", "bud", "apr", "dec", "run", "tok", "wrk", "org", "team", "rai", "sup", "kil", "spl", "adj"
]

# Ids must not meet, but they are no secrets: a generator seeded by the kernel is a tenth of asking it each time.
_noise = random.Random(os.urandom(32))
_halves: Final = Struct(">QQ").pack
os.register_at_fork(after_in_child=lambda: _noise.seed(os.urandom(32)))


def new_id(prefix: Prefix) -> str:
    """A fresh id such as `op_0199a1…`: 48 bits of milliseconds, then 74 random bits, 32 hex digits."""
    millis = time.time_ns() // 1_000_000 & 0xFFFF_FFFF_FFFF
    head = millis << 16 | 7 << 12 | _noise.getrandbits(12)
    return f"{prefix}_{_halves(head, 2 << 62 | _noise.getrandbits(62)).hex()}"


def born_ms(some_id: str) -> int | None:
    """The milliseconds since 1970 that an id was made at; None when it is not one of ours."""
    _, _, digits = some_id.partition("_")
    if len(digits) != 32:
        return None
    try:
        return int(digits, 16) >> 80
    except ValueError:
        return None
