"""Random policies of one point, in several files with helpers, functions, sets, alternatives, defaults and a library of
their own, and random inputs that meet them: to hold ways of evaluating them to one another."""

import random
from typing import Any, Final

from proxy.policy import Bundle
from proxy.policy.bundle import shipped_base

WORDS: Final = ("a", "b", "c")
PLACES: Final = (
    *("model", "user", "agent", "estimate_usd", "tags.env", "claims.tags.case", "clock.hour", "clock.unix", "params.n"),
    *("messages.count", "operation", "tools", "messages"),
)
"""Paths of the input; the odd ones out are no texts."""
HELPERS: Final = 3
SETS: Final = 2
FUNCTIONS: Final = 2
DATA: Final = {"limits": {"one": "a", "two": "b"}, "lists": {"a": ["a", "b"], "b": []}}


def generated(draw: random.Random) -> Bundle:
    """Some files of the package `flyball.request`, and the library that they use."""
    modules = {f"rules/{at}.rego": _file(draw, at, rules) for at, rules in enumerate(_rules(draw))}
    if draw.random() < 0.9:
        modules["flyball/base.rego"] = shipped_base()
    if draw.random() < 0.1:
        modules["parent.rego"] = f"package flyball\n\nrequest.deny contains {_denial(draw)} if {_input(draw)} == 1\n"
    modules["lib.rego"] = f"package lib\n\nlow(x) if x == {_word(draw)}\n\nnamed := {_input(draw)}\n"
    if draw.random() < 0.1:
        modules["lib2.rego"] = "package lib2\n\nalso if data.flyball.request.h0\n"
    return Bundle.of(modules, DATA)


def asked(draw: random.Random) -> dict[str, Any]:
    """One input; members are missing now and then."""
    told: dict[str, Any] = {
        "org": draw.choice(("acme", "acme", "acme", "")),
        "key": "bot",
        "operation": draw.choice(WORDS),
        "model": draw.choice(WORDS),
        "user": draw.choice((*WORDS, None)),
        "agent": draw.choice(WORDS),
        "estimate_usd": draw.choice(WORDS),
        "tags": draw.choice(({}, {"env": draw.choice(WORDS)}, {"env": "a", "x": 1})),
        "claims": draw.choice((None, {}, {"tags": {"case": draw.choice(WORDS)}})),
        "clock": {"hour": draw.choice(WORDS), "unix": draw.choice(WORDS)},
        "params": {"n": draw.choice((*WORDS, 1, [1]))},
        "messages": {"count": draw.choice(WORDS), "roles": [draw.choice(WORDS)]},
        "tools": [{"name": draw.choice(WORDS)} for _ in range(draw.randrange(3))],
    }
    for name in draw.sample(sorted(told), draw.randrange(3)):
        del told[name]
    return told


def _rules(draw: random.Random) -> list[list[str]]:
    """Every helper at least once, and some rules, over a few files."""
    files: list[list[str]] = [[] for _ in range(draw.randrange(1, 4))]
    made = [_helper(draw, at) for at in range(HELPERS)] + [_set(draw, at) for at in range(SETS)]
    made += [_function(draw, at) for at in range(FUNCTIONS)]
    made += [draw.choice(_RULES)(draw) for _ in range(draw.randrange(1, 9))]
    draw.shuffle(made)
    for rule in made:
        draw.choice(files).append(rule)
    return [rules for rules in files if rules]


def _file(draw: random.Random, at: int, rules: list[str]) -> str:
    imports = ["import input.tags as t", "import data.limits as limits"]
    return "\n\n".join(["package flyball.request", *imports, *rules]) + "\n" * (at + 1)


def _deny(draw: random.Random) -> str:
    return f"deny contains {_denial(draw)} if {{\n\t{_condition(draw)}\n\t{_condition(draw)}\n}}"


def _deny_by_text(draw: random.Random) -> str:
    return f'deny contains {{"code": v, "msg": "{_plain(draw)}"}} if some v in [{_value(draw)}, {_value(draw)}]'


def _oblige(draw: random.Random) -> str:
    duties = (
        f'{{"type": "cap_tokens", "max": {draw.randrange(1, 4)}}}',
        f'{{"type": "tag", "key": "k", "value": "{_plain(draw)}"}}',
        f'{{"type": "force_model", "model": "{_plain(draw)}"}}',
        f'{{"type": "strip_tool", "name": "{_plain(draw)}"}}',
        '{"type": "unheard_of"}' if draw.random() < 0.1 else '{"type": "no_cache"}',
    )
    return f"obligations contains {draw.choice(duties)} if {_condition(draw)}"


def _allow(draw: random.Random) -> str:
    return f"allow if {_condition(draw)}"


def _once_more(draw: random.Random) -> str:
    """A helper said twice, which may be a contradiction."""
    return _helper(draw, draw.randrange(HELPERS))


_RULES: Final = (*[_deny] * 12, *[_deny_by_text] * 4, *[_oblige] * 8, *[_allow] * 4, _once_more)


def _helper(draw: random.Random, at: int) -> str:
    return draw.choice(
        (
            f"h{at} if {_fact(draw)}",
            f"h{at} if {_fact(draw)}",
            f"h{at} := 1 if {_fact(draw)}\n\nelse := 2 if {_fact(draw)}",
        )
    )


def _set(draw: random.Random, at: int) -> str:
    more = f"\n\ns{at} contains {_value(draw)} if {_fact(draw)}" if draw.random() < 0.5 else ""
    return f"s{at} contains {_value(draw)} if {_fact(draw)} # {_plain(draw)}{more}"


def _function(draw: random.Random, at: int) -> str:
    return f"f{at}(x) if {{\n\tx == {_word(draw)}\n\t{_fact(draw)}\n}}"


def _condition(draw: random.Random) -> str:
    """Something that may hold, by other rules or not."""
    if draw.random() < 0.4:
        return _fact(draw)
    helper, some = draw.randrange(HELPERS), draw.randrange(SETS)
    return draw.choice(
        (
            *(f"h{helper}", f"not h{helper}", f"h{helper} == 2"),
            *(f"count(s{some}) > 1", f"{_value(draw)} in s{some}"),
            f"f{draw.randrange(FUNCTIONS)}({_value(draw)})",
            "data.lib2.also" if draw.random() < 0.2 else f"h{helper}",
        )
    )


def _fact(draw: random.Random) -> str:
    """Something that may hold by the input alone."""
    value = _value(draw)
    return draw.choice((f"{value} == {_word(draw)}", f"not {value} == {_word(draw)}", f"data.lib.low({value})", value))


def _value(draw: random.Random) -> str:
    return draw.choice((*[_input(draw)] * 5, "data.lib.named", "t.env", "limits.one", _word(draw)))


def _input(draw: random.Random) -> str:
    return f"input.{draw.choice(PLACES)}"


def _word(draw: random.Random) -> str:
    return f'"{_plain(draw)}"'


def _plain(draw: random.Random) -> str:
    return draw.choice(WORDS)


def _denial(draw: random.Random) -> str:
    return f'{{"code": "{_plain(draw)}", "msg": sprintf("%v", [{_value(draw)}]), "internal": "{_plain(draw)}"}}'
