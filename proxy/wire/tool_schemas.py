"""The tools that a request offers, and whether a call keeps to the schema of its tool."""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias

import jsonschema_rs
import msgspec

from proxy.wire.strict import Unreadable, once
from proxy.wire.tool_calls import ToolCall

Json: TypeAlias = Any
_LONGEST_KEPT: Final = 16 * 1024
_REGEX: Final = jsonschema_rs.RegexOptions()


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a call: its arguments as JSON (null where they are none), and whether its tool would take them.

    `known`: a tool of its name and kind was offered. `valid`: its arguments are JSON, name no member twice, and keep to
    the schema of the tool; those of a custom tool are free text.
    """

    arguments: Json
    valid: bool
    known: bool


class RequestTools:
    """The tools that one request offers: each by its kind and name, with the JSON Schema of its arguments or None."""

    def __init__(self, offered: Iterable[tuple[tuple[str, str], Json]]) -> None:
        self._schemas: dict[tuple[str, str], Json] = dict(offered)

    @property
    def names(self) -> frozenset[str]:
        """The names of all that are offered."""
        return frozenset(name for _, name in self._schemas)

    def knows(self, kind: str, name: str) -> bool:
        """Whether such a tool is offered."""
        return (kind, name) in self._schemas

    def judge(self, call: ToolCall) -> Judged:
        """What is known of a call; never raises for what it says."""
        known = self.knows(call.kind, call.name)
        if call.kind == "custom":
            return Judged(arguments={"input": call.arguments}, valid=known, known=known)
        found, arguments = _read(call.arguments)
        valid = known and found and _keeps_to(self._schemas[(call.kind, call.name)], arguments)
        return Judged(arguments=arguments, valid=valid, known=known)


def _read(text: str) -> tuple[bool, Json]:
    """Whether a text is JSON without doubt, and its value."""
    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=_no_constant)
        msgspec.json.encode(value)
    except (ValueError, RecursionError, OverflowError, Unreadable):
        return False, None
    return True, value


def _keeps_to(schema: Json, arguments: Json) -> bool:
    if schema is None:
        return isinstance(arguments, dict)
    try:
        text = json.dumps(schema, sort_keys=True)
        validator = _kept_validator(text) if len(text) <= _LONGEST_KEPT else _validator(text)
        return bool(validator.is_valid(arguments))
    except (ValueError, TypeError, RecursionError):
        # A schema that is none, or leads elsewhere: nothing is known to keep to it.
        return False


def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for(json.loads(schema), retriever=_nowhere, pattern_options=_REGEX)


@lru_cache(maxsize=256)
def _kept_validator(schema: str) -> Any:
    return _validator(schema)


def _nowhere(uri: str) -> NoReturn:
    """A client's schema makes nobody fetch anything."""
    raise ValueError(f"not fetched: {uri}")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
