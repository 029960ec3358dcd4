"""Hash chains: each entry's hash covers its content and the hash before it, so nothing behind it can change unseen."""

import hashlib
import json
from collections.abc import Sequence
from typing import Final

GENESIS: Final = "0" * 64
"""What the first entry follows."""


def link(previous: str, content: Sequence[str | int | None]) -> str:
    """The hash of an entry, as 64 hex digits: SHA-256 of one JSON list, the previous hash first.

    The JSON has no spaces and no escapes but those that it must have, so that others can compute it too.
    """
    text = json.dumps([previous, *content], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
