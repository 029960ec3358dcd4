"""Where to cut an answer so that its parts arrive as unkindly as a network can bring them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

EVERY_BYTE_BELOW: Final = 8_192
_SPOTS: Final = (
    re.compile(rb"da(?=ta:)"),
    re.compile(rb"data:(?= )"),
    re.compile(rb"\n(?=\n)"),
    re.compile(rb"\r(?=\n)"),
    re.compile(rb"[\xc2-\xf4](?=[\x80-\xbf])"),
    re.compile(rb'"us(?=age")'),
    re.compile(rb"\[DO(?=NE\])"),
    re.compile(rb"\\(?=u[0-9a-f]{4})"),
)
_PER_SPOT: Final = 3


def by_size(body: bytes, size: int) -> tuple[bytes, ...]:
    """Pieces of one size; what is left over is the last one."""
    return tuple(body[at : at + size] for at in range(0, len(body), size))


def inside(body: bytes) -> tuple[bytes, ...]:
    """Cut inside characters, field names, separators and marks: the first, a middle and the last of each kind."""
    cuts: set[int] = set()
    for spot in _SPOTS:
        found = [match.end() for match in spot.finditer(body)]
        cuts.update((found[0], found[len(found) // 2], found[-1]) if len(found) > _PER_SPOT else found)
    return _at(body, sorted(cuts))


def cuttings(body: bytes, *, is_stream: bool) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """Ways to cut an answer, each with its name."""
    yield "whole", (body,) if body else ()
    if not is_stream:
        yield "by 997", by_size(body, 997)
        return
    yield "by 997", by_size(body, 997)
    yield "by 61", by_size(body, 61)
    yield "by 7", by_size(body, 7)
    yield "inside", inside(body)
    if len(body) < EVERY_BYTE_BELOW:
        yield "by 1", by_size(body, 1)


def _at(body: bytes, cuts: Sequence[int]) -> tuple[bytes, ...]:
    bounds = [0, *(cut for cut in cuts if 0 < cut < len(body)), len(body)]
    return tuple(body[start:end] for start, end in itertools.pairwise(bounds))
