"""What one kind looks like, and how many kinds are looked for at once: expressions of RE2, which takes linear time."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

import re2

from proxy.policy.findings.plain import plainly

NEAR_CHARS: Final = 48
"""How far before a number the word may stand that tells what it is."""
_MEGABYTE: Final = 1024 * 1024
_MEMORY_OF_MANY: Final = 8 * _MEGABYTE
"""What RE2 may keep of its automata; beyond it forgets and makes them anew, and takes longer for it."""


class Span(NamedTuple):
    """Something found, and where it stands in the text."""

    start: int
    end: int
    kind: str


class Tries:
    """How much may still be looked at closely in one request. What is left of it is taken for what it looks like: too
    much is found then, and never too little."""

    def __init__(self, most: int) -> None:
        self._left = most

    @property
    def are_over(self) -> bool:
        """Whether something was not looked at closely."""
        return self._left < 0

    def take(self, cost: int = 1) -> bool:
        """Whether one more may be, that costs so many times 5 µs."""
        self._left -= cost
        return self._left >= 0


class Shape(NamedTuple):
    """One kind's form: where an expression has a group, that is the found part. `check` is shown it; `near` must be
    met shortly before, in lower case, for numbers that could be anything else."""

    kind: str
    expression: str
    check: Callable[[str], bool] | None = None
    near: re.Pattern[str] | None = None


class Expression:
    """One that is met in plain texts; made when it is first asked, since most processes never look for anything."""

    def __init__(self, text: str, memory: int = 4 * _MEGABYTE) -> None:
        """`memory`: in bytes."""
        self._text = text
        self._memory = memory

    @cached_property
    def made(self) -> re2._Regexp:
        """The expression as RE2 has it."""
        options = re2.Options()
        options.log_errors, options.max_mem = False, self._memory
        return re2.compile(plainly(self._text), options)

    def search(self, text: str) -> bool:
        """Whether it is met in a text."""
        return self.made.search(text) is not None

    def finditer(self, text: str) -> Iterator[re2._Match]:
        """Every place that it is met at, none of which overlap."""
        found: Iterator[re2._Match] = self.made.finditer(text)
        return found


class Shapes:
    """Shapes that are looked for together: where none of them is, a text is read once."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._any = Expression("|".join(f"(?:{shape.expression})" for shape in shapes), _MEMORY_OF_MANY)
        self._shapes = [(shape, Expression(shape.expression, _MEGABYTE)) for shape in shapes]

    def prepare(self) -> None:
        """Make all expressions now; takes some hundredths of a second."""
        for expression in (self._any, *(expression for _, expression in self._shapes)):
            expression.made  # noqa: B018 - made by being asked for

    def find(self, text: str, tries: Tries) -> Iterator[Span]:
        """Everything in a plain text that has one of the shapes; one place may have several."""
        if not self._any.search(text):
            return
        for shape, expression in self._shapes:
            group = expression.made.groups
            for found in expression.finditer(text):
                start, end = found.span(group)
                if not tries.take() or _holds(shape, text, start, found[group]):
                    yield Span(start, end, shape.kind)


def near(*words: str) -> re.Pattern[str]:
    """One of these words, in lower case, not within another one."""
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(words)})(?![^\W_])")


def is_fraction(text: str, start: int) -> bool:
    """Whether what begins there is what stands behind the point of a number."""
    return start > 1 and text[start - 1] == "." and text[start - 2].isdigit()


def _holds(shape: Shape, text: str, start: int, part: str) -> bool:
    if is_fraction(text, start):
        return False
    if shape.near is not None and not shape.near.search(text[max(0, start - NEAR_CHARS) : start].lower()):
        return False
    return shape.check is None or shape.check(part)
