"""Ids of tool calls that a dialect cannot take as they are: written so that they can be read back."""

import base64
import binascii
import re
from typing import Final

_PLAIN: Final = re.compile(r"[a-zA-Z0-9_-]+\Z")
_PREFIX: Final = "fbid_"
_MADE: Final = "fbcall_"


def plain_id(given: str) -> str:
    """An id of letters, digits, `_` and `-` only: the one given, or one that holds it."""
    if _PLAIN.match(given) and not given.startswith(_PREFIX):
        return given
    return _PREFIX + base64.urlsafe_b64encode(given.encode()).decode().rstrip("=")


def original_id(given: str) -> str:
    """The id that `plain_id` was given."""
    if not given.startswith(_PREFIX):
        return given
    held = given[len(_PREFIX) :]
    try:
        return base64.urlsafe_b64decode(held + "=" * (-len(held) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return given


def made_id(answer: str, index: int) -> str:
    """An id for a call whose provider gives it none: always the same one for the same call of the same answer."""
    return f"{_MADE}{answer}_{index}"


def is_made(given: str) -> bool:
    """Whether an id is one that `made_id` gave, so that its provider does not know it."""
    return given.startswith(_MADE)
