"""What a call takes of lines that do not count dollars: before it, by its estimate; after it, by its usage."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from proxy.budget.ledger import HoldLine, Unit

_FITTED: Final = frozenset({Unit.TOKENS, Unit.INPUT_TOKENS, Unit.OUTPUT_TOKENS, Unit.TOOL_CALLS})
MOST: Final = 10**18
_FIELDS: Final = tuple(field.name for field in fields(HoldLine))


def fitted(
    lines: tuple[HoldLine, ...], input_tokens: int, output_tokens: int, *, has_tools: bool = False
) -> tuple[HoldLine, ...]:
    """The lines with what a call of so many tokens wants held on each; the same object where none counts such.

    A call that has tools is held for one call of them: how many its answer holds nobody knows before.
    """
    for line in lines:
        if line.unit in _FITTED:
            wanted = tokens_used(input_tokens, output_tokens)
            wanted[Unit.TOOL_CALLS] = int(has_tools)
            return tuple(_holding(each, wanted) for each in lines)
    return lines


def tokens_used(input_tokens: int, output_tokens: int) -> dict[Unit, int]:
    """A call's tokens in each of the ways they are counted; no number is beyond what a ledger takes."""
    return {
        Unit.TOKENS: min(MOST, input_tokens + output_tokens),
        Unit.INPUT_TOKENS: min(MOST, input_tokens),
        Unit.OUTPUT_TOKENS: min(MOST, output_tokens),
    }


def _holding(line: HoldLine, wanted: Mapping[Unit, int]) -> HoldLine:
    amount = wanted.get(line.unit)
    if amount is None:
        return line
    values = {name: getattr(line, name) for name in _FIELDS}
    values["amount"] = amount
    return HoldLine(**values)
