"""Under which names a model's price may stand. Never a guess by prefix: `gpt-4` must not price `gpt-4o`."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

_DATED: Final = re.compile(r"(?:-20\d\d-\d\d-\d\d|-20\d{6}|@20\d{6}|@20\d\d-\d\d-\d\d|@default|@latest|-latest)$")
_FINE_TUNED: Final = re.compile(r"^(ft:[^:]+):")


def names_to_try(model: str, prefixes: Sequence[str] = ()) -> Iterator[str]:
    """The model's own name, then without a provider's prefix, then each without its date; all in lower case."""
    name = model.lower()
    yield name
    plain = [name]
    for prefix in prefixes:
        if name.startswith(prefix) and len(name) > len(prefix):
            plain.append(name[len(prefix) :])
            yield plain[-1]
    for one in plain:
        yield from _less_exact(one)


def _less_exact(name: str) -> Iterator[str]:
    tuned = _FINE_TUNED.match(name)
    if tuned:
        yield tuned[1]
        name = tuned[1]
    undated = _DATED.sub("", name)
    if undated and undated != name:
        yield undated
