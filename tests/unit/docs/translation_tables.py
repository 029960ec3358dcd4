"""The tables of docs/translation.md, from those that translate: `python -m tests.unit.docs.translation_tables`."""

from pathlib import Path
from typing import Final

from proxy.wire.translate import PAIRS
from proxy.wire.translate.treatment import Treatment

PAGE: Final = Path(__file__).parents[3] / "docs" / "translation.md"
MARK: Final = "<!-- what follows is written from the code -->\n"
_HOW: Final = {"carried": "carried", "dropped": "left out", "refused": "refused"}


def tables() -> str:
    """A table for each pair, a row for each field."""
    return "".join(_table(client, provider) for client, provider in PAIRS)


def _table(client: str, provider: str) -> str:
    fields = PAIRS[client, provider].fields
    rows = [f"| `{name}` | {_HOW[fields[name].how]} | {_told(fields[name])} |\n" for name in sorted(fields)]
    return f"\n## `{client}` at `{provider}`\n\n| field | | |\n| --- | --- | --- |\n{''.join(rows)}"


def _told(treatment: Treatment) -> str:
    if not treatment.neutral:
        return treatment.told
    allowed = " or ".join(f"`{_json(value)}`" for value in treatment.neutral)
    return f"{treatment.told}; {allowed} asks for nothing and passes"


def _json(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).replace("'", '"')


def main() -> None:
    """Write them into the page."""
    head, mark, _ = PAGE.read_text().partition(MARK)
    PAGE.write_text(head + mark + tables())


if __name__ == "__main__":
    main()
