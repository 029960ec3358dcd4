"""What the read-only user may run.

`readonly = 1` of the engine is not enough in an embedded build: the scalar function `file()` reads any file,
`INTO OUTFILE` writes one, `python()` reaches into this process, KILL QUERY ends other users' queries, and the
functions `ai…()` call out; a bare function name calls it too (`arrayMap(file, …)`, `* APPLY file`), and `system` shows
other users' statements (all tried with chdb-core 26.9.0). So the engine first writes the statement in its own
canonical form, which leaves no comments, odd quotes or second statements to hide in, and the words are looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
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

SYSTEM_TABLES: Final = frozenset(
    {
        "columns", "data_type_families", "databases", "formats", "functions", "keywords", "numbers", "numbers_mt",
        "one", "parts", "parts_columns", "settings", "table_engines", "table_functions", "tables", "time_zones",
        "zeros", "zeros_mt",
    }
)  # fmt: skip
"""What of `system` a reader sees: names, types, sizes. The rest shows others' statements, addresses, secrets."""

SHOWN: Final = frozenset(
    {
        "COLUMNS", "CREATE", "DATABASES", "EXTENDED", "FIELDS", "FULL", "FUNCTIONS", "INDEX", "INDEXES", "SETTING",
        "SETTINGS", "TABLES",
    }
)  # fmt: skip
"""What may follow SHOW."""

_NOT_SHOWN_CREATED: Final = frozenset(
    {"USER", "USERS", "ROLE", "ROLES", "ROW", "POLICY", "QUOTA", "SETTINGS", "PROFILE"}
)
_SCALARS: Final = frozenset(
    {
        "file", "executable", "catboostevaluate", "getclienthttpheader", "showcertificate", "sleep", "sleepeachrow",
        "getserversetting", "getmacro", "addresstoline", "addresstolinewithinlines", "addresstosymbol",
        "hascolumnintable", "reversednsquery", "logtrace", "generateserialid", "evalmlmethod",
    }
)  # fmt: skip
_SCALAR_PREFIXES: Final = ("ai", "dictget", "dicthas", "dictisin", "joinget")
_TOKEN: Final = re.compile(
    r"""\s+|'(?:[^'\\]|\\.|'')*'|`(?P<tick>(?:[^`\\]|\\.|``)*)`|"(?P<quote>(?:[^"\\]|\\.|"")*)"|(?P<word>\w+)|(?P<sign>.)""",
    re.DOTALL,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The functions that the engine has, in lower case: in place of a table, and in expressions."""

    table_functions: frozenset[str]
    functions: frozenset[str]


def refusal(canonical: str, names: Names) -> str | None:
    """Why this statement, in the engine's canonical form, is not for a reader; None when it is fine."""
    tokens = list(_tokens(canonical))
    if not tokens or tokens[0].upper() not in KINDS:
        return "only reading statements are allowed"
    if tokens[0].upper() == "SHOW" and (why := _not_shown(tokens)):
        return why
    around = zip(["", "", *tokens], ["", *tokens], tokens, [*tokens[1:], ""], strict=False)
    return next(
        (why for before, dot, token, after in around if (why := _token(before, dot, token, after, names))), None
    )


def _token(before: str, previous: str, token: str, following: str, names: Names) -> str | None:
    """What is wrong with one token, seen with two before it and one after it."""
    word = token.lower()
    if "\\" in token:
        return "escapes in quoted names are not allowed"
    if word == "into" and following.upper() == "OUTFILE":
        return "INTO OUTFILE is not allowed"
    if previous == "." and before.lower() == "system" and word not in SYSTEM_TABLES:
        return f"the table system.{token} is not allowed"
    if token == "=" and before.lower() == "settings":
        return "SETTINGS are not allowed"
    if previous == ":" and word == "identifier":
        return "names as parameters are not allowed"
    if following == "(" and _reaches_out(word, names.table_functions):
        return f"the function {token} is not allowed"
    # `arrayMap(file, …)` and `* APPLY file` call a function by its bare name.
    if word in names.functions and _is_scalar_that_reaches_out(word):
        return f"the function {token} is not allowed, nor its name for anything else"
    return None


def _not_shown(tokens: list[str]) -> str | None:
    words = [token.upper() for token in tokens[1:3]]
    if not words or words[0] not in SHOWN or (words[0] == "CREATE" and words[-1] in _NOT_SHOWN_CREATED):
        return f"SHOW {' '.join(words)} is not allowed"
    return None


def _reaches_out(name: str, table_functions: frozenset[str]) -> bool:
    return _is_scalar_that_reaches_out(name) or (name in table_functions and name not in HARMLESS_TABLE_FUNCTIONS)


def _is_scalar_that_reaches_out(name: str) -> bool:
    return name in _SCALARS or name.startswith(_SCALAR_PREFIXES)


def _tokens(canonical: str) -> Iterator[str]:
    """Words, quoted names without their quotes, and signs; literals and spaces left out."""
    for match in _TOKEN.finditer(canonical):
        if match.lastgroup is not None:
            yield match[match.lastgroup]
