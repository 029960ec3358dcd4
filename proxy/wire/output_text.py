"""The text a model has put out, kept within a bound: what output is estimated from when no usage is told."""

from typing import Final

MAX_KEPT_CHARS: Final = 256 * 1024
_BLOCK: Final = 1024
FIFTHS: Final = 5
_FIFTHS_A_BYTE: Final = 2
_MOST_BYTES_A_CHAR: Final = 4


class OutputText:
    """Counts all characters of the output and keeps the first quarter million of them.

    `fifths` is a quick bound of its tokens, in fifths of one: a token for every two and a half bytes, and no piece is
    less than one. Vocabularies make prose of four bytes a token and code of three; what is cut finer (digits, base64)
    comes a token a piece. A character beyond ASCII is taken to be four bytes.
    """

    __slots__ = ("_blocks", "chars", "fifths", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.chars = 0
        self.fifths = 0
        self._blocks = 0

    def add(self, text: str) -> None:
        """One piece, in its order."""
        if self.chars < MAX_KEPT_CHARS:
            self.texts.append(text[: MAX_KEPT_CHARS - self.chars])
            if len(self.texts) - self._blocks > _BLOCK:
                # A piece is a few characters in an object of fifty bytes: a thousand of them become one.
                self.texts[self._blocks :] = ["".join(self.texts[self._blocks :])]
                self._blocks += 1
        size = len(text)
        self.chars += size
        if not text.isascii():
            size *= _MOST_BYTES_A_CHAR
        self.fifths += size * _FIFTHS_A_BYTE if size > _FIFTHS_A_BYTE else FIFTHS
