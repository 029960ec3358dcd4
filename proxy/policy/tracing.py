"""Which rules fired: each is given a last line that says so, which the engine collects."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import regorus

from proxy.policy.bundle import Bundle
from proxy.policy.point import Point
from proxy.policy.reading import queries_of
from proxy.policy.regorus_rules import told

Json: TypeAlias = Any
_SAID: Final = re.compile(r"flyball-fired (\d+)$")
_REST: Final = re.compile(rb"[ \t]*(#[^\n]*)?(\n|$)")


@dataclass(frozen=True, slots=True)
class Traced:
    """One rule with a condition: where it stands, the line it begins with, and whether its condition held."""

    path: str
    line: int
    text: str
    fired: bool


def trace(bundle: Bundle, point: Point, facts: Mapping[str, Any]) -> list[Traced]:
    """The rules of a bundle that were asked at a point, in the order of their files; those without a condition, and
    those whose condition goes on behind it (`else`), are left out. Empty where the engine fails."""
    rules: list[tuple[str, int, str]] = []
    engine = regorus.Engine()
    engine.set_gather_prints(True)
    try:
        for path, text in bundle.modules.items():
            engine.add_policy(path, _instrumented(path, text, rules))
        engine.add_data_json(json.dumps(bundle.data))
        engine.set_input_json(json.dumps(facts))
        package = ".".join(queries_of(point)[0])
        engine.eval_query_as_json(f"data.{package}")
    except RuntimeError:
        return []
    fired = {int(found[1]) for line in engine.take_prints() if (found := _SAID.search(line))}
    return [Traced(*rule, fired=number in fired) for number, rule in enumerate(rules)]


def _instrumented(path: str, text: str, rules: list[tuple[str, int, str]]) -> str:
    """A module whose rules say that they fire; as it was, where that cannot be done."""
    known = len(rules)
    raw = text.encode()
    edits: list[tuple[int, bytes]] = []
    for line, begin, end in _conditions(path, text):
        edit = _edit(raw, begin, end, f'print("flyball-fired {len(rules)}")'.encode())
        if edit:
            edits += edit
            rules.append((path, line, text.splitlines()[line - 1].strip()))
    changed = bytearray(raw)
    for at, more in sorted(edits, key=lambda each: each[0], reverse=True):
        changed[at:at] = more
    try:
        regorus.Engine().add_policy(path, changed.decode())
    except RuntimeError as error:
        assert told(error)
        del rules[known:]
        return text
    return changed.decode()


def _conditions(path: str, text: str) -> Iterator[tuple[int, int, int]]:
    """The line of each rule, and where its condition begins and ends, in bytes."""
    engine = regorus.Engine()
    engine.add_policy(path, text)
    for rule in json.loads(str(engine.get_ast_as_json()))[0]["ast"]["rules"]:
        (_, body), *_ = rule.items()
        bodies: list[Json] = body.get("bodies") or []
        if len(bodies) == 1 and bodies[0]["query"]["stmts"]:
            span = bodies[0]["query"]["span"]
            yield body["span"]["line"], span["start"], span["end"]


def _edit(raw: bytes, begin: int, end: int, said: bytes) -> list[tuple[int, bytes]]:
    """What is put where, so that a condition ends in saying that it held; nothing where its end cannot be told."""
    if raw[begin : begin + 1] == b"{" and raw[end - 1 : end] == b"}":
        inner = raw[begin + 1 : end - 1].rstrip(b" \t")
        return [(end - 1, (b" " if inner.endswith(b"\n") else b"; ") + said + b" ")]
    if raw[end : end + 1] in (b'"', b"`"):  # the engine tells a text's end before its last sign
        end += 1
    if b"\n" in raw[begin:end] or not _REST.match(raw, end):
        return []
    return [(begin, b"{ "), (end, b"; " + said + b" }")]
