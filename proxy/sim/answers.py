"""What the simulated models say: words of one token each, a tool's arguments, or JSON to a schema."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from proxy.sim.ask import Ask
from proxy.sim.instances import instance_of

# Each with the space before it is one token in the GPT family's vocabularies, so that whoever counts the text of an
# answer comes to the tokens it was billed for.
_PROSE: Final = (
    "the a of and to in is that it for was on are as with his they at be this have from or one had by word but "
    "not what all were we when your can said there use an each which she do how their if will up other about "
    "out many then them these so some her would make like him into time has look two more write go see number "
    "no way could people my than first water been call who its now find long down day did get come made may "
    "part "
)
_WORDS: Final = _PROSE.split()
_JSON_TOKEN: Final = re.compile(r"\w+|[^\w\s]+|\s+")
_SPREAD: Final = 0.6


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its pieces are one token each, `thinking` the hidden ones before them."""

    pieces: tuple[str, ...]
    thinking: int
    finish_reason: str
    tool: str | None = None

    @property
    def text(self) -> str:
        """All pieces together."""
        return "".join(self.pieces)

    @property
    def tokens(self) -> int:
        """What is billed as output."""
        return len(self.pieces) + self.thinking


def answer(ask: Ask, chance: Random) -> Answer:
    """Make up one answer within the request's limit; the same request and chance give the same answer."""
    room = ask.faults.huge or min(ask.limit or ask.model.max_output, ask.model.max_output)
    thinking = min(room, _lognormal(ask.model.thinking_tokens, chance))
    if ask.tool is not None:
        pieces, ending = _json_pieces(instance_of(ask.tool.get("parameters"))), "tool_calls"
    elif ask.schema is not None:
        pieces, ending = _json_pieces(instance_of(ask.schema)), "stop"
    else:
        pieces, ending = _prose(ask, chance), "stop"
    left = room - thinking
    tool = ask.tool.get("name", "") if ask.tool else None
    if len(pieces) > left:
        return Answer(pieces[:left], thinking, "length", tool)
    return Answer(pieces, thinking, ending, tool)


def _prose(ask: Ask, chance: Random) -> tuple[str, ...]:
    wanted = ask.faults.huge or ask.natural_tokens or max(1, _lognormal(ask.model.answer_tokens, chance))
    words = chance.choices(_WORDS, k=wanted)
    return (words[0].capitalize(), *(f" {word}" for word in words[1:]))


def _json_pieces(value: Any) -> tuple[str, ...]:
    return tuple(_JSON_TOKEN.findall(json.dumps(value, separators=(",", ":"), ensure_ascii=False)))


def _lognormal(median: int, chance: Random) -> int:
    return round(median * chance.lognormvariate(0, _SPREAD)) if median else 0


def called(tool: str, answer_: Answer, call_id: str) -> Mapping[str, Any]:
    """A tool call in the shape of chat completions."""
    return {"id": call_id, "type": "function", "function": {"name": tool, "arguments": answer_.text}}
