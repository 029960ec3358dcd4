"""What the read-only user may run.

`readonly = 1` of the engine is not enough in an embedded build: the scalar function `file()` reads any file,
`INTO OUTFILE` writes one, `python()` reaches into this process, KILL QUERY ends other users' queries, and the
functions `ai…()` call out (all tried with chdb-core 26.9.0). So the engine first writes the statement in its own
canonical form, which leaves no comments, odd quotes or second statements to hide in, and the words are looked at.
"""

import re
from collections.abc import Iterator
from typing import Final

KINDS: Final = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "EXISTS", "EXPLAIN", "("})
"""First words of statements that only read."""

HARMLESS_TABLE_FUNCTIONS: Final = frozenset(
    {
        "format", "generaterandom", "generateseries", "generate_series", "null", "numbers", "numbers_mt", "primes",
        "sqlstandardvalues", "values", "view", "zeros", "zeros_mt",
    }
)  # fmt: skip
"""Table functions that reach nothing outside their own arguments; every other one is refused."""

_SCALARS: Final = frozenset(
    {
        "file", "executable", "catboostevaluate", "getclienthttpheader", "showcertificate", "sleep", "sleepeachrow",
        "getserversetting", "getmacro", "addresstoline", "addresstolinewithinlines", "addresstosymbol",
    }
)  # fmt: skip
_SCALAR_PREFIXES: Final = ("ai", "dictget", "dicthas", "dictisin")
_TOKEN: Final = re.compile(
    r"""\s+|'(?:[^'\\]|\\.|'')*'|`(?P<tick>(?:[^`\\]|\\.|``)*)`|"(?P<quote>(?:[^"\\]|\\.|"")*)"|(?P<word>\w+)|(?P<sign>.)""",
    re.DOTALL,
)


def refusal(canonical: str, table_functions: frozenset[str]) -> str | None:
    """Why this statement, in the engine's canonical form, is not for a reader; None when it is fine.

    `table_functions` are the engine's, in lower case.
    """
    tokens = list(_tokens(canonical))
    if not tokens or tokens[0].upper() not in KINDS:
        return "only reading statements are allowed"
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        if token.upper() == "INTO" and following.upper() == "OUTFILE":
            return "INTO OUTFILE is not allowed"
        if "\\" in token:
            return "escapes in quoted names are not allowed"
        if following == "(" and _reaches_out(token.lower(), table_functions):
            return f"the function {token} is not allowed"
    return None


def _reaches_out(name: str, table_functions: frozenset[str]) -> bool:
    if name in _SCALARS or name.startswith(_SCALAR_PREFIXES):
        return True
    return name in table_functions and name not in HARMLESS_TABLE_FUNCTIONS


def _tokens(canonical: str) -> Iterator[str]:
    """Words, quoted names without their quotes, and signs; literals and spaces left out."""
    for match in _TOKEN.finditer(canonical):
        if match.lastgroup is not None:
            yield match[match.lastgroup]
