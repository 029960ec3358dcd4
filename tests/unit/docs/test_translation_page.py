"""docs/translation.md says of each field what the tables that translate do with it, and names each pair."""

from proxy.wire.translate import PAIRS
from tests.unit.docs.translation_tables import MARK, PAGE, tables


def test_the_tables_are_those_that_translate() -> None:
    _, mark, told = PAGE.read_text().partition(MARK)
    assert mark and told == tables(), "python -m tests.unit.docs.translation_tables"


def test_every_pair_is_named() -> None:
    lines = PAGE.read_text().splitlines()
    start = lines.index("| called as | at a provider of `dialect:` |") + 2
    named = lines[start : lines.index("", start)]
    assert named == [f"| `{client}` | `{provider}` |" for client, provider in PAIRS]
