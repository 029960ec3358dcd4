"""What a provider says was used: exports of OpenAI's and Anthropic's usage and cost APIs, as JSON or CSV.

Sources, as of Nov 2026. OpenAI: `GET /v1/organization/usage/completions` and `/costs` (API reference, Usage): buckets
with `start_time` in Unix seconds; `input_tokens` has cached and cache-write tokens in it. Anthropic:
`GET /v1/organizations/usage_report/messages` and `/cost_report` (Admin API): buckets with `starting_at`;
`uncached_input_tokens` beside `cache_read_input_tokens` and `cache_creation`; amounts are decimal text in cents.
Both cut days in UTC. CSV has the results' fields as columns, with the bucket's time beside them.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["input", "cache_read", "cache_write", "cache_write_1h", "output", "usd"]
_TIMES: Final = ("start_time", "starting_at", "start_time_iso", "date", "day")
_DEEPEST: Final = 4


class BadReport(ValueError):
    """A file that is no export we know; the message says what is wrong."""


class Reported(NamedTuple):
    """What one model used of one kind on one day of UTC; `usd` is dollars. Model "" stands for all of them."""

    day: date
    model: str
    kind: Kind
    amount: Decimal


class Report(NamedTuple):
    """A whole export. `of` is whose format it has; `is_cut`: it ends at a page that says there is more."""

    of: Literal["openai", "anthropic"]
    lines: tuple[Reported, ...]
    is_cut: bool


def read_report(content: bytes) -> Report:
    """Read an export; lines of the same day, model and kind are not added up yet.

    Raises:
        BadReport: it is none that we know.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadReport("it is not text in UTF-8") from None
    results, is_cut = _of_json(text) if text.lstrip()[:1] in ("{", "[") else (list(_of_csv(text)), False)
    if not results:
        raise BadReport("there is no usage in it")
    read, of = _reader_of(results)
    lines = tuple(line for at, result in results for line in read(_day(at), result) if line.amount)
    return Report(of, lines, is_cut)


_Result: TypeAlias = tuple[Any, Mapping[str, Any]]
_Read: TypeAlias = Callable[[date, Mapping[str, Any]], Iterator[Reported]]


def _of_json(text: str) -> tuple[list[_Result], bool]:
    try:
        told = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise BadReport(f"it is not JSON: {error}") from None
    pages = told if isinstance(told, list) else [told]
    found = [each for page in pages for each in _buckets(page, 0)]
    last = pages[-1] if pages else {}
    return found, isinstance(last, dict) and bool(last.get("has_more"))


def _buckets(node: Any, depth: int) -> Iterator[_Result]:
    """Every result with its bucket's time, in a page or in a bucket."""
    if not isinstance(node, dict) or depth > _DEEPEST:
        raise BadReport("a page has `data`, a list of buckets with `results`")
    if isinstance(node.get("data"), list):
        for bucket in node["data"]:
            yield from _buckets(bucket, depth + 1)
        return
    at = next((node[name] for name in _TIMES if node.get(name) is not None), None)
    if at is None or not isinstance(node.get("results"), list):
        raise BadReport("a bucket has `start_time` or `starting_at`, and `results`")
    for result in node["results"]:
        if not isinstance(result, dict):
            raise BadReport("a result is an object")
        yield at, result


def _of_csv(text: str) -> Iterator[_Result]:
    reader = csv.DictReader(io.StringIO(text))
    try:
        time = next((name for name in _TIMES if name in (reader.fieldnames or ())), None)
    except csv.Error as error:
        raise BadReport(f"it is neither JSON nor CSV: {error}") from None
    if time is None:
        raise BadReport(f"it is neither JSON nor CSV with one of the columns {', '.join(_TIMES)}")
    try:
        for row in reader:
            yield row[time], {name: value for name, value in row.items() if name and value not in (None, "")}
    except csv.Error as error:
        raise BadReport(f"it is not CSV: {error}") from None


def _reader_of(results: Iterable[_Result]) -> tuple[_Read, Literal["openai", "anthropic"]]:
    for _, result in results:
        if "uncached_input_tokens" in result:
            return _anthropic_usage, "anthropic"
        if "input_tokens" in result:
            return _openai_usage, "openai"
        if isinstance(result.get("amount"), dict) or "amount_value" in result:
            return _openai_cost, "openai"
        if "amount" in result:
            return _anthropic_cost, "anthropic"
    raise BadReport("it has neither `input_tokens` (OpenAI), `uncached_input_tokens` (Anthropic) nor `amount`")


def _openai_usage(day: date, result: Mapping[str, Any]) -> Iterator[Reported]:
    model = _model(result)
    cached, written = _number(result, "input_cached_tokens"), _number(result, "input_cache_write_tokens")
    yield Reported(day, model, "input", _number(result, "input_tokens") - cached - written)
    yield Reported(day, model, "cache_read", cached)
    yield Reported(day, model, "cache_write", written)
    yield Reported(day, model, "output", _number(result, "output_tokens"))


def _anthropic_usage(day: date, result: Mapping[str, Any]) -> Iterator[Reported]:
    model = _model(result)
    written = result.get("cache_creation")
    made = {**result, **written} if isinstance(written, dict) else result
    yield Reported(day, model, "input", _number(result, "uncached_input_tokens"))
    yield Reported(day, model, "cache_read", _number(result, "cache_read_input_tokens"))
    yield Reported(day, model, "cache_write", _number(made, "ephemeral_5m_input_tokens"))
    yield Reported(day, model, "cache_write_1h", _number(made, "ephemeral_1h_input_tokens"))
    yield Reported(day, model, "output", _number(result, "output_tokens"))


def _openai_cost(day: date, result: Mapping[str, Any]) -> Iterator[Reported]:
    amount = result.get("amount")
    told = amount if isinstance(amount, dict) else {"value": result.get("amount_value"), "currency": "usd"}
    _require_dollars(told.get("currency", "usd"))
    yield Reported(day, "", "usd", _number(told, "value"))


def _anthropic_cost(day: date, result: Mapping[str, Any]) -> Iterator[Reported]:
    _require_dollars(result.get("currency", "USD"))
    yield Reported(day, "", "usd", _number(result, "amount") / 100)


def _require_dollars(currency: Any) -> None:
    if str(currency).lower() != "usd":
        raise BadReport(f"it is in {currency}, and only dollars can be compared")


def _model(result: Mapping[str, Any]) -> str:
    return str(result.get("model") or "")


def _number(result: Mapping[str, Any], name: str) -> Decimal:
    told = result.get(name)
    if told is None:
        return Decimal(0)
    try:
        number = Decimal(str(told))
    except InvalidOperation:
        raise BadReport(f"{name} is {told!r}, which is no number") from None
    if not number.is_finite():
        raise BadReport(f"{name} is {told!r}, which is no number")
    return number


def _day(at: Any) -> date:
    """The day of UTC of a bucket that begins at Unix seconds or at a time of RFC 3339."""
    try:
        if isinstance(at, int) or (isinstance(at, str) and at.isdigit()):
            return datetime.fromtimestamp(int(at), UTC).date()
        moment = datetime.fromisoformat(str(at))
    except (ValueError, OverflowError, OSError):
        raise BadReport(f"{at!r} is no time of a bucket") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date()
