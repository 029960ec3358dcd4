"""`system_fingerprint`: what a provider calls the version of its model that answered."""

import re
from typing import Final

_NAME: Final = b'"system_fingerprint"'
"""In text that a model wrote, or in arguments of a tool, the quotes would be escaped."""
_told: Final = re.compile(rb'\s*:\s*"([\x21\x23-\x5b\x5d-\x7e]{1,64})"').match


def fingerprint_in(body: bytes) -> str:
    """The fingerprint in an answer or an event; empty where none is told. A search costs less than reading it all."""
    at = body.rfind(_NAME)
    told = None if at < 0 else _told(body, at + len(_NAME))
    return "" if told is None else told[1].decode("ascii")
