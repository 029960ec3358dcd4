"""From Anthropic's usage object to disjoint buckets (field facts: Messages API reference, Usage).

- `input_tokens` excludes what was read from and written to the cache: the three are the whole input.
- Writes are told by how long they are kept (`cache_creation`); where they are not, they are of five minutes.
- `output_tokens` is all that is billed; `thinking_tokens` are a part of it.
- A `compaction` among the iterations was a call of its own: its tokens are not in the totals, and are added.
- Web searches are billed by the search; fetches are free.
- What served the call decides its rates: `speed: fast`, a `batch`, and the region (`inference_geo`).
"""

from typing import Final, TypeVar

import msgspec

from proxy.core.usage import Bucket, Flaw, ToolFee, Usage, UsageSource
from proxy.metering.raw_usage import MOST

_COMPACTION: Final = "compaction"
_FAST: Final = "fast"


class _Written(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class _ServerTools(msgspec.Struct, gc=False):
    web_search_requests: int | None = None


class _Tokens(msgspec.Struct, gc=False):
    type: str | None = None
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _Written | None = None
    output_tokens: int | None = None


class _RawUsage(_Tokens, gc=False):
    output_tokens_details: _OutputDetails | None = None
    server_tool_use: _ServerTools | None = None
    iterations: list[_Tokens] | None = None
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None


_decode: Final = msgspec.json.Decoder(_RawUsage).decode
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def normalise_anthropic(raw_usage: bytes) -> Usage:
    """Disjoint buckets of Anthropic's usage object (JSON); contradictions are flagged, never raised.

    The source is `none` when neither input nor output can be told from it. Where output alone is missing it
    `lacks_output`: a stream that was not read to its end has told its input only.
    """
    flaws: list[Flaw] = []
    raw = _read(raw_usage, flaws)
    if raw.input_tokens is None and raw.output_tokens is None:
        return Usage(flaws=tuple(flaws))
    tokens: dict[Bucket, int] = {}
    _add(tokens, raw, flaws)
    _split_thinking(tokens, raw, flaws)
    for iteration in raw.iterations or ():
        if iteration.type == _COMPACTION:
            _add(tokens, iteration, flaws)
    searches = None if raw.server_tool_use is None else raw.server_tool_use.web_search_requests
    return Usage(
        tokens=tokens,
        tool_calls={} if searches is None else {ToolFee.WEB_SEARCH: _count(searches, flaws) or 0},
        source=UsageSource.PROVIDER,
        flaws=tuple(dict.fromkeys(flaws)),
        service_tier=_FAST if raw.speed == _FAST else raw.service_tier,
        region=raw.inference_geo,
        lacks_output=Bucket.OUTPUT not in tokens,
    )


def _add(tokens: dict[Bucket, int], told: _Tokens, flaws: list[Flaw]) -> None:
    """Add what one call, or one step of it, has told."""
    written = _count(told.cache_creation_input_tokens, flaws)
    by_age = told.cache_creation
    hour = None if by_age is None else _count(by_age.ephemeral_1h_input_tokens, flaws)
    minutes = None if by_age is None else _count(by_age.ephemeral_5m_input_tokens, flaws)
    if written is None and by_age is not None:
        written = (hour or 0) + (minutes or 0)
    if written is not None and (hour or 0) > written:
        flaws.append(Flaw.DETAILS_EXCEED_INPUT)
        hour = written
    counts = {
        Bucket.INPUT: _count(told.input_tokens, flaws),
        Bucket.CACHE_READ: _count(told.cache_read_input_tokens, flaws),
        Bucket.CACHE_WRITE: None if written is None else written - (hour or 0),
        Bucket.CACHE_WRITE_1H: hour,
        Bucket.OUTPUT: _count(told.output_tokens, flaws),
    }
    for bucket, count in counts.items():
        if count is not None:
            tokens[bucket] = tokens.get(bucket, 0) + count


def _split_thinking(tokens: dict[Bucket, int], raw: _RawUsage, flaws: list[Flaw]) -> None:
    details = raw.output_tokens_details
    thought = None if details is None else _count(details.thinking_tokens, flaws)
    if thought is None or Bucket.OUTPUT not in tokens:
        return
    output = tokens[Bucket.OUTPUT]
    if thought > output:
        flaws.append(Flaw.REASONING_EXCEEDS_OUTPUT)
        thought = output
    tokens[Bucket.REASONING], tokens[Bucket.OUTPUT] = thought, output - thought


def _count(told: int | None, flaws: list[Flaw]) -> int | None:
    """A count that is believable, or None; a negative one becomes 0."""
    if told is None or 0 <= told <= MOST:
        return told
    flaws.append(Flaw.NEGATIVE if told < 0 else Flaw.NOT_A_NUMBER)
    return 0 if told < 0 else None


def _read(raw: bytes, flaws: list[Flaw]) -> _RawUsage:
    try:
        return _decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:
        whole: object = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        whole = None
    flaws.append(Flaw.NOT_A_NUMBER)
    return _lenient(_RawUsage, whole)


def _lenient(shape: type[_Shape], value: object) -> _Shape:
    """Build `shape` of what is usable in a value."""
    made = shape()
    if not isinstance(value, dict):
        return made
    for told in msgspec.structs.fields(shape):
        if told.name not in value:
            continue
        each = value[told.name]
        if isinstance(each, float) and each.is_integer() and abs(each) <= MOST:
            each = int(each)
        try:
            setattr(made, told.name, msgspec.convert(each, told.type))
        except msgspec.ValidationError:
            if told.name in _PARTS:
                setattr(made, told.name, _lenient(_PARTS[told.name], each))
    return made


_PARTS: Final[dict[str, type[msgspec.Struct]]] = {
    "cache_creation": _Written,
    "output_tokens_details": _OutputDetails,
    "server_tool_use": _ServerTools,
}
