"""What a client's secret may look like, how one is made, and the little of it that is shown for recognition."""

import secrets
from typing import Final

from proxy.core.secret import Secret

SHORTEST: Final = 20
LONGEST: Final = 256
KEY_MARK: Final = "fb-"
TOKEN_MARK: Final = "fba-"
RANDOM_BYTES: Final = 32
_SHOWN_OF_OURS: Final = 4
_SHOWN_OF_BROUGHT: Final = 4


def new_secret(mark: str = KEY_MARK) -> Secret:
    """A fresh secret: the mark, then 43 characters that say 256 random bits."""
    return Secret(mark + secrets.token_urlsafe(RANDOM_BYTES))


def well_shaped(text: str) -> bool:
    """Whether a text can be a secret at all: 20 to 256 printable ASCII characters, none of them a space."""
    return SHORTEST <= len(text) <= LONGEST and text.isascii() and text.isprintable() and " " not in text


def weakly_shaped(text: str) -> bool:
    """Whether a text can be a secret where weak ones are allowed: printable ASCII, no space at its ends."""
    return 0 < len(text) <= LONGEST and text.isascii() and text.isprintable() and text == text.strip()


def shown_prefix(secret: Secret) -> str:
    """The beginning that may be shown: the mark and 4 characters of ours, 4 characters of one brought along."""
    text = secret.reveal()
    for mark in (TOKEN_MARK, KEY_MARK):
        if text.startswith(mark) and len(text) == len(mark) + 43:
            return text[: len(mark) + _SHOWN_OF_OURS]
    return text[:_SHOWN_OF_BROUGHT]
