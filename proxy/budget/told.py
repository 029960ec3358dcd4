"""How amounts are told to people and programs: dollars as decimal text, tokens and requests as whole numbers."""

from typing import Final

from proxy.budget.ladder import nominal
from proxy.budget.ledger import HoldLine, Unit
from proxy.core.money import Nano, to_usd_text

WORDS: Final = {
    Unit.USD: "usd",
    Unit.TOKENS: "tokens",
    Unit.INPUT_TOKENS: "tokens",
    Unit.OUTPUT_TOKENS: "tokens",
    Unit.REQUESTS: "requests",
    Unit.TOOL_CALLS: "tool_calls",
    Unit.SLOTS: "concurrent",
}
"""The ending of every name that carries an amount, by what it counts."""

_SPOKEN: Final = {
    Unit.INPUT_TOKENS: "input tokens",
    Unit.OUTPUT_TOKENS: "output tokens",
    Unit.TOOL_CALLS: "tool calls",
    Unit.SLOTS: "slots",
}


def figures(line: HoldLine, **amounts: int) -> dict[str, str | int]:
    """Amounts of a line under their names, such as `limit_usd: "1.50"` or `spent_tokens: 12`; its limit first.

    The limit is what people set; where a ladder blocks earlier, `blocks_at_usd` and so on says where.
    """
    whole, word = nominal(line), WORDS[line.unit]
    named = {"limit": whole, **({} if whole == line.limit else {"blocks_at": int(line.limit)}), **amounts}
    return {
        f"{name}_{word}": to_usd_text(Nano(amount)) if line.unit is Unit.USD else amount
        for name, amount in named.items()
    }


def spoken(unit: Unit, amount: int) -> str:
    """An amount in a sentence, such as `1.50 USD` or `12 input tokens`."""
    if unit is Unit.USD:
        return f"{to_usd_text(Nano(amount))} USD"
    words = _SPOKEN.get(unit, WORDS[unit])
    return f"{amount:,} {words.removesuffix('s') if amount == 1 else words}"
