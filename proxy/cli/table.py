"""Tables and JSON on standard output."""

import json
from collections.abc import Sequence
from typing import Any


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Columns as wide as their widest cell, those numbered in `right` set to the right."""
    cells = [list(head), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        line = (
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(line).rstrip())


def print_json(told: Any) -> None:
    """What the API said, for programs."""
    print(json.dumps(told, indent=2, ensure_ascii=False))


def plain(text: str) -> str:
    """A name that a client chose: what would move the cursor is written as an escape."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def dollars(amount: str) -> str:
    """An amount as the API tells it, with its sign before the dollar."""
    return f"-${amount[1:]}" if amount.startswith("-") else f"${amount}"
