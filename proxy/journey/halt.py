"""Why a stream is ended before its answer is whole, by people rather than for lack of money."""

from collections.abc import Mapping
from dataclasses import dataclass

from proxy.core.refusal import JsonValue, Refusal


@dataclass(frozen=True, slots=True)
class Halt:
    """An end that people have ordered: the code and facts that the client is told, and what the row says of it.

    `by` names what ended it, as scope and name; empty where the code says it all.
    """

    refusal: Refusal
    said: str
    facts: Mapping[str, JsonValue]
    by: str = ""
