"""docs/failure-contract.md: every line about the ledger has a test, and every test that is named exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from proxy.core.refusal import Refusal
from proxy.processes.metric_names import BY_NAME

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = (ROOT / "docs" / "failure-contract.md").read_text()
TESTS: Final = ROOT / "tests"
NAMED: Final = re.compile(r"`([^`]+)`")


def tables() -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Each table: the heading above it, its heads, its lines."""
    heading, heads, lines = "", list[str](), list[list[str]]()
    for line in [*PAGE.splitlines(), ""]:
        if line.startswith("#"):
            heading = line.strip("# ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if cells and not heads:
            heads = cells
        elif cells and not set(line) <= set("|- "):
            lines.append(cells)
        elif not cells and heads:
            yield heading, heads, lines
            heads, lines = [], []


def found(name: str) -> bool:
    """Whether a test of that name is there: a module, of tests/chaos unless its path is told, or a folder."""
    path = TESTS / name.removeprefix("tests/")
    return path.is_dir() or path.with_suffix(".py").is_file() or (TESTS / "chaos" / f"{name}.py").is_file()


def test_every_test_that_is_named_exists() -> None:
    named = {
        name
        for _, heads, lines in tables()
        if heads[-1] == "test"
        for line in lines
        for name in NAMED.findall(line[-1])
    }
    for sentence in re.findall(r"^Tests?: .*$", PAGE, re.MULTILINE):
        named |= {name for name in NAMED.findall(sentence) if name.startswith("test_")}
    named |= {name for name in NAMED.findall(PAGE) if re.fullmatch(r"test_\w+", name)}
    assert len(named) > 10
    assert [name for name in sorted(named) if not found(name)] == []


def test_every_line_about_the_ledger_has_a_test() -> None:
    ledger = [each for each in tables() if each[0] in ("The ledger", "In SQLite (`ledger.sqlite`)", "In Redis")]
    assert len(ledger) == 3
    for heading, heads, lines in ledger:
        assert heads[-1] == "test"
        assert len(lines) >= 8, heading
        for line in lines:
            assert len(line) == len(heads), line
            assert NAMED.search(line[-1]), f"{heading}: {line[0]}"


def test_codes_and_metrics_are_those_of_the_code() -> None:
    codes = set(re.findall(r"\b[45]\d\d `([a-z_]+)`", PAGE))
    assert codes <= {refusal.code for refusal in Refusal}
    assert {name.partition("{")[0] for name in re.findall(r"`(flyball_[^`]+)`", PAGE)} <= set(BY_NAME)
