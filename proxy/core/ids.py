"""Ids that sort by the time they were made: UUIDv7 (RFC 9562 §5.7) behind a prefix."""

import os
import time
from typing import Literal, TypeAlias

Prefix: TypeAlias = Literal["op", "att", "key", "bud", "apr", "dec", "run", "tok", "wrk", "org", "team"]


def new_id(prefix: Prefix) -> str:
    """A fresh id such as `op_0199a1…`: 48 bits of milliseconds, then 74 random bits, 32 hex digits."""
    millis = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = (millis & 0xFFFF_FFFF_FFFF) << 80 | 7 << 76 | (noise >> 68) << 64 | 2 << 62 | (noise & (1 << 62) - 1)
    return f"{prefix}_{value:032x}"


def born_ms(some_id: str) -> int | None:
    """The milliseconds since 1970 that an id was made at; None when it is not one of ours."""
    _, _, digits = some_id.partition("_")
    if len(digits) != 32:
        return None
    try:
        return int(digits, 16) >> 80
    except ValueError:
        return None
