"""WordPiece, as BERT's models take their texts: lower case, without accents, the longest known pieces first."""

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_LONGEST_WORD: Final = 100
_CJK: Final = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class WordPiece:
    """The pieces of one vocabulary, by their places in it."""

    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._places = {piece: place for place, piece in enumerate(vocabulary)}
        self._unknown = self._places["[UNK]"]
        self._first, self._last = self._places["[CLS]"], self._places["[SEP]"]

    @classmethod
    def shipped(cls) -> "WordPiece":
        """The uncased English vocabulary that MiniLM was trained with."""
        return cls(Path(__file__).with_name("vocab.txt").read_text(encoding="utf-8").splitlines())

    def pieces(self, text: str, most: int) -> list[int]:
        """At most so many pieces of a text, with those that begin and end it."""
        found = [self._first]
        for word in _words(text):
            found += self._of_word(word)
            if len(found) >= most:
                break
        return [*found[: most - 1], self._last]

    def _of_word(self, word: str) -> list[int]:
        if len(word) > _LONGEST_WORD:
            return [self._unknown]
        found: list[int] = []
        at = 0
        while at < len(word):
            for end in range(len(word), at, -1):
                place = self._places.get(word[at:end] if at == 0 else f"##{word[at:end]}")
                if place is not None:
                    found.append(place)
                    at = end
                    break
            else:
                return [self._unknown]
        return found


def _words(text: str) -> Iterator[str]:
    """The words and signs of a text, in lower case and without accents."""
    plain = unicodedata.normalize("NFD", text.lower())
    word: list[str] = []
    for character in plain:
        category = unicodedata.category(character)
        if category == "Mn" or (category[0] == "C" and character not in "\t\n\r"):
            continue
        if character.isspace() or _stands_alone(character, category):
            if word:
                yield "".join(word)
                word = []
            if not character.isspace():
                yield character
        else:
            word.append(character)
    if word:
        yield "".join(word)


def _stands_alone(character: str, category: str) -> bool:
    if category[0] == "P" or character in "$+<=>^`|~":
        return True
    return any(first <= ord(character) <= last for first, last in _CJK)
