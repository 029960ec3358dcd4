"""How hard to think, as Anthropic's models are told: by effort, or the older ones by a budget of tokens."""

import re
from collections.abc import Mapping
from typing import Final

from proxy.wire.translate.asked import Asked, Effort
from proxy.wire.translate.members import Json, missing
from proxy.wire.translate.translated import Context

_LEAST: Final = 1024
_BY_BUDGET: Final = re.compile(r"claude-3-7-|claude-(opus|sonnet|haiku)-4(-[015])?(-\d{8}|-latest|@|$|:|-v\d)")
"""Models of before adaptive thinking (Claude 3.7 to 4.5): they know budgets only. All later ones take efforts."""
_BUDGETS: Final[Mapping[Effort, int]] = {
    "minimal": _LEAST,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}
_EFFORTS: Final[Mapping[Effort, str]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


def with_thinking(body: dict[str, Json], asked: Asked, context: Context) -> None:
    """Add what the request says of thinking; `max_tokens` is set already.

    Raises:
        Refused: CAPABILITY_MISSING where an output limit leaves no room for the least thinking there is.
    """
    effort = asked.effort
    if effort is None:
        return
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif _BY_BUDGET.search(context.model):
        body["thinking"] = {"type": "enabled", "budget_tokens": _budget(body, asked, context, _BUDGETS[effort])}
    else:
        body["thinking"] = {"type": "adaptive"}
        config = body.get("output_config")
        body["output_config"] = {**(config if isinstance(config, dict) else {}), "effort": _EFFORTS[effort]}


def _budget(body: dict[str, Json], asked: Asked, context: Context, wanted: int) -> int:
    """The tokens of thinking; they count as output, so that at least half of the limit is left for the answer."""
    limit = body["max_tokens"]
    if not isinstance(limit, int):
        raise TypeError("max_tokens is set before the thinking")
    if asked.max_output is None and context.most_output is None:
        body["max_tokens"] = limit + wanted
        return wanted
    if limit < 2 * _LEAST:
        missing("reasoning_effort", "Anthropic", f"to think takes an output limit of at least {2 * _LEAST} tokens")
    return max(_LEAST, min(wanted, limit // 2))
