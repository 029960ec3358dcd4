"""A point's rules in two slices: one that is asked the same again and again, and one whose input moves with every call.

Evaluated each by itself and put together, they say what the whole package says: a rule that adds to `deny`,
`obligations` or `deny_candidates` adds the same wherever it stands, and every other rule goes with all that lean on it.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from proxy.policy.reading import Path, Reads
from proxy.policy.rules import Rule, meet

UNITED: Final = ("deny", "obligations", "deny_candidates")
"""The sets of a point's package: what any rule adds to one of them is in it."""
MOVING: Final[tuple[Path, ...]] = (
    ("operation",),
    ("step",),
    ("estimate_usd",),
    ("estimate",),
    ("messages",),
    ("budgets",),
    ("run_counters",),
    ("clock", "now"),
    ("clock", "unix"),
    ("tool", "arguments"),
    ("tool", "arguments_bytes"),
    ("usage",),
)
"""What is seldom the same in two calls."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Modules with some of a point's rules, all others blanked out, and what these read of the input."""

    modules: Mapping[str, str]
    reads: Reads
    rules: int


def sliced(modules: Mapping[str, str], rules: Sequence[Rule], root: Path) -> tuple[Slice, Slice] | None:
    """The rules of the package `root` that read nothing that moves, and those that do, each with all they lean on.

    None where all rules are of one kind or hang together, and where any of them reads what policies say at some point
    by its path from `data` on. `modules` are the texts that `rules` were found in.
    """
    parts = _parts(rules, root)
    if parts is None:
        return None
    settled: set[int] = set()
    moving: set[int] = set()
    for part in parts:
        reached = _closure(part, rules)
        (moving if _moves(rules[at] for at in reached) else settled).update(reached)
    if not settled or not moving:
        return None
    return _slice(modules, rules, settled), _slice(modules, rules, moving)


def is_moving(path: Path) -> bool:
    """Whether what stands at a path of the input is seldom the same in two calls."""
    return any(meet(path, each) for each in MOVING)


def _parts(rules: Sequence[Rule], root: Path) -> list[set[int]] | None:
    """The rules of a package, by number, in the smallest parts that may be evaluated apart; None where it is none."""
    if any(meet(reference, root[:1]) for rule in rules for reference in rule.refers):
        return None
    depth = len(root)
    by_name: dict[str, set[int]] = defaultdict(set)
    for at, rule in enumerate(rules):
        if rule.path[:depth] == root:
            by_name[rule.path[depth]].add(at)
    parts: list[set[int]] = []
    for name, named in by_name.items():
        is_set = name in UNITED and all(rules[at].adds and len(rules[at].path) == depth + 1 for at in named)
        parts += [{at} for at in named] if is_set else [named]
    return parts


def _closure(begun: Collection[int], rules: Sequence[Rule]) -> set[int]:
    """These rules and all they lean on, by number."""
    reached: set[int] = set()
    waiting = list(begun)
    while waiting:
        at = waiting.pop()
        if at not in reached:
            reached.add(at)
            waiting += [other for other, rule in enumerate(rules) if rules[at].leans_on(rule)]
    return reached


def _moves(rules: Iterable[Rule]) -> bool:
    return any(rule.volatile or any(is_moving(path) for path in rule.inputs) for rule in rules)


def _slice(modules: Mapping[str, str], rules: Sequence[Rule], kept: Collection[int]) -> Slice:
    texts = {name: bytearray(text.encode()) for name, text in modules.items()}
    for at, rule in enumerate(rules):
        if at not in kept:
            text = texts[rule.module]
            text[rule.begin : rule.end] = re.sub(rb"[^\n]", b" ", text[rule.begin : rule.end])
    needed = {rules[at].module for at in kept}
    reads = Reads(
        live=True,
        volatile=any(rules[at].volatile for at in kept),
        paths=frozenset(path for at in kept for path in rules[at].inputs),
    )
    return Slice({name: text.decode() for name, text in texts.items() if name in needed}, reads, len(kept))
