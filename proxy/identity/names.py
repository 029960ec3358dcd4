"""The names that orgs, teams, keys and people may have; plain enough for a path, a scope and a label."""

import re
from typing import Final

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
PERSON_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$"
_NAME: Final = re.compile(NAME_PATTERN)
_PERSON: Final = re.compile(PERSON_PATTERN)
NAME_RULE: Final = "must be 1 to 64 letters, digits, dots, dashes or underscores, beginning with a letter or digit"
PERSON_RULE: Final = "must be 1 to 128 letters, digits or . _ @ + -, beginning with a letter or digit"


def is_name(text: str) -> bool:
    """Whether a text can name an org, a team or a key."""
    return _NAME.match(text) is not None and not text.endswith("\n")


def is_person(text: str) -> bool:
    """Whether a text can name the person behind an admin token."""
    return _PERSON.match(text) is not None and not text.endswith("\n")
