"""Names and patterns of names, made ready to be compared: `fnmatch` would forget a route's pattern among hundreds."""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from typing import Final, TypeAlias

Matches: TypeAlias = Callable[[str], bool]
_GLOB_SIGNS: Final = frozenset("*?[")


def is_glob(pattern: str) -> bool:
    """Whether a route's model is a pattern rather than one name."""
    return not _GLOB_SIGNS.isdisjoint(pattern)


def matches(pattern: str) -> Matches:
    """Whether a name matches a pattern, upper and lower case apart."""
    if not is_glob(pattern):
        return pattern.__eq__
    if pattern.endswith("*") and not is_glob(pattern[:-1]):
        begins = pattern[:-1]
        return lambda name: name.startswith(begins)
    match = re.compile(translate(pattern)).match
    return lambda name: match(name) is not None


def any_of(patterns: Iterable[str]) -> Matches:
    """Whether a name matches one of the patterns."""
    given = tuple(patterns)
    names, globs = frozenset(given), [matches(pattern) for pattern in given if is_glob(pattern)]
    if not globs:
        return names.__contains__
    return lambda name: name in names or any(one(name) for one in globs)
