"""A provider's usage object as it came: every field the OpenAI dialect is known to use, nothing made of it yet.

The shapes of all endpoints and providers are read by one type, since no field name means two things.
Sources: field notes on recorded answers of each provider (prompt/input and completion/output name the same numbers).
"""

from decimal import Decimal
from typing import Final, TypeVar

import msgspec

MOST: Final = 10**12
"""A count above this is no count of tokens of one call."""


class WriteTtls(msgspec.Struct, gc=False):
    """Written tokens by how long the provider keeps them."""

    ttl_30m_tokens: int | None = None
    ttl_12h_tokens: int | None = None


class CachedKinds(msgspec.Struct, gc=False):
    """Cached tokens by what they stood for."""

    audio_tokens: int | None = None
    image_tokens: int | None = None


class InputDetails(msgspec.Struct, gc=False):
    """Parts of the prompt."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_tokens_details: WriteTtls | None = None
    cached_tokens_details: CachedKinds | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of the completion."""

    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    image_tokens: int | None = None


class CostDetails(msgspec.Struct, gc=False):
    """OpenRouter's split of a cost, USD."""

    upstream_inference_cost: Decimal | None = None


class RawUsage(msgspec.Struct, gc=False):
    """The usage object of any provider of the dialect; None where it says nothing."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    input_token_details: InputDetails | None = None
    output_token_details: OutputDetails | None = None
    cached_tokens: int | None = None
    num_cached_tokens: int | None = None
    prompt_cache_hit_tokens: int | None = None
    prompt_cache_miss_tokens: int | None = None
    seconds: Decimal | None = None
    cost: Decimal | None = None
    is_byok: bool | None = None
    cost_details: CostDetails | None = None
    cost_in_usd_ticks: int | None = None


_S = TypeVar("_S", bound=msgspec.Struct)
_decode: Final = msgspec.json.Decoder(RawUsage).decode
_decode_any: Final = msgspec.json.Decoder(float_hook=Decimal).decode
_PARTS: Final[dict[str, type[msgspec.Struct]]] = {
    "prompt_tokens_details": InputDetails,
    "input_tokens_details": InputDetails,
    "completion_tokens_details": OutputDetails,
    "output_tokens_details": OutputDetails,
    "input_token_details": InputDetails,
    "output_token_details": OutputDetails,
    "cache_write_tokens_details": WriteTtls,
    "cached_tokens_details": CachedKinds,
    "cost_details": CostDetails,
}
_MONEY: Final = frozenset({"cost", "upstream_inference_cost", "seconds"})


def read_raw_usage(raw: bytes) -> tuple[RawUsage, bool]:
    """Read a usage object, and say whether something in it was not the number it should be (that part is None)."""
    try:
        return _decode(raw), False
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _read_what_can_be_read(raw)


def _read_what_can_be_read(raw: bytes) -> tuple[RawUsage, bool]:
    try:
        whole: object = _decode_any(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError):
        return RawUsage(), True
    if whole is None:
        return RawUsage(), False
    usage, odd = _lenient(RawUsage, whole)
    return usage or RawUsage(), odd


def _lenient(shape: type[_S], value: object) -> tuple[_S | None, bool]:
    """Build `shape` of what is usable in `value`; True when something was not."""
    if value is None:
        return None, False
    if not isinstance(value, dict):
        return None, True
    made, odd = shape(), False
    for name in shape.__struct_fields__:
        usable, wrong = _usable(name, value.get(name))
        setattr(made, name, usable)
        odd = odd or wrong
    return made, odd


def _usable(name: str, value: object) -> tuple[object, bool]:
    if name in _PARTS:
        return _lenient(_PARTS[name], value)
    if value is None:
        return None, False
    if isinstance(value, bool):
        return (value, False) if name == "is_byok" else (None, True)
    if isinstance(value, int | Decimal) and name in _MONEY:
        return Decimal(value), False
    if isinstance(value, int) and name != "is_byok":
        return value, False
    if isinstance(value, Decimal) and value.is_finite() and abs(value) <= MOST and value == int(value):
        return int(value), False
    return None, True
