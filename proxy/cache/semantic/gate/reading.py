"""What a text asks, in a form that is equal for texts that ask the same: the second gate of the semantic cache.

Similarity of vectors finds what is near and cannot tell a paraphrase from its opposite, so a hit needs this gate too.
It is one-sided: of everything that is not known to be without meaning, nothing may differ. Numbers, units, dates,
negations, names, quantifiers, modals, tenses and the order of words are all compared by that.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from proxy.cache.semantic.gate.frames import framed, plain
from proxy.cache.semantic.gate.vocabulary import (
    AMBIGUOUS,
    CONTRACTED,
    DATES,
    ENGLISH,
    FUNCTION_WORDS,
    MENTIONS,
    MODALS,
    NEGATIONS,
    NUMBERS,
    PASSING,
    QUANTIFIERS,
    SYNONYMS,
    TENSES,
    UNITS,
)
from proxy.cache.semantic.gate.words import LONGEST, cut

_STOPS: Final = frozenset(".,;!?")
_KINDS: Final = (
    ("negation", NEGATIONS),
    ("unit", UNITS),
    ("date", DATES),
    ("quantifier", QUANTIFIERS),
    ("modality", MODALS),
    ("tense", TENSES),
)


class Reading(Struct, frozen=True):
    """A text as it is compared.

    `form` is equal for texts that ask the same; `capitals` are its words that are written with capitals inside a
    sentence, `firsts` those that begin one; `is_typed_low` says that no word has capitals, as in quickly typed texts.
    """

    form: tuple[str, ...]
    capitals: frozenset[str] = frozenset()
    firsts: frozenset[str] = frozenset()
    is_typed_low: bool = False


def read(text: str) -> Reading | None:
    """Read a text. None where it is never compared: it is empty, or asks for what is another thing each time."""
    stripped = text.strip()
    if not stripped:
        return None
    words = cut(stripped)
    if words is None or len(words) > LONGEST or not _is_english(words):
        return None if words and not PASSING.isdisjoint(map(str.lower, words)) else Reading(("=", stripped))
    if not PASSING.isdisjoint(map(str.lower, words)):
        return None
    if not MENTIONS.isdisjoint(map(str.lower, words)):
        return Reading(("=", *_without_last_stop(words)))
    inside, firsts = _capitals(words)
    is_typed_low = all(word == word.lower() for word in words if word != "I")
    return Reading(_form(words), inside, firsts, is_typed_low)


def is_same(one: Reading, other: Reading) -> bool:
    """Whether two texts ask the same."""
    return one.form == other.form and _capitals_agree(one, other)


def difference(one: Reading, other: Reading) -> str:
    """How two texts differ: the kind of the first difference found, or nothing where they ask the same."""
    if one.form == other.form:
        return "" if _capitals_agree(one, other) else "entity"
    if one.form[0] == "=" or other.form[0] == "=":
        return "text"
    words, others = Counter(one.form), Counter(other.form)
    if words == others:
        return "order"
    apart = (words - others) + (others - words)
    if any(character.isdigit() for word in apart for character in word):
        return "number"
    return next((kind for kind, known in _KINDS if not known.isdisjoint(apart)), "words")


def _is_english(words: Iterable[str]) -> bool:
    return any(word.lower() in ENGLISH or word.lower() in CONTRACTED for word in words)


def _without_last_stop(words: list[str]) -> list[str]:
    return words[:-1] if words[-1] in _STOPS else words


def _form(words: list[str]) -> tuple[str, ...]:
    """The words without case, contraction and politeness, in the frame of what they ask."""
    text = " ".join(_lowered(word) for word in _one_ending(words))
    text = " ".join(SYNONYMS.get(word, word) for word in plain(text).split() if word != "please")
    return framed(text)


def _one_ending(words: list[str]) -> list[str]:
    """The words without the stop that ends them, and without the comma before the last part of a list."""
    if words[-1] != "?":
        words = _without_last_stop(words)
    return [word for at, word in enumerate(words) if not (word == "," and words[at + 1 : at + 2] in (["and"], ["or"]))]


def _lowered(word: str) -> str:
    low = word.lower()
    if len(word) > 1 and word.isupper() and (low in AMBIGUOUS or low in FUNCTION_WORDS):
        return word  # `US` and `us`, `IT` and `it`
    if word != low and low in SYNONYMS and not word.istitle():
        return low
    return NUMBERS.get(low) or CONTRACTED.get(low) or low


def _capitals(words: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The words with capitals inside a sentence, and in small letters those that begin one."""
    inside, firsts = set(), set()
    before = "."
    for word in words:
        name = word.removesuffix("'s")
        if before in (".", "!", "?"):
            firsts.add(name.lower())
        elif name != name.lower() and name.lower() not in FUNCTION_WORDS:
            inside.add(name)
        before = word
    return frozenset(inside), frozenset(firsts)


def _capitals_agree(one: Reading, other: Reading) -> bool:
    """Whether capitals mean the same on both sides: alike, or left out where nothing hangs on them."""
    apart = {word for word in one.capitals ^ other.capitals if word.lower() not in one.firsts | other.firsts}
    if not AMBIGUOUS.isdisjoint(word.lower() for word in one.capitals ^ other.capitals):
        return False
    return not apart or one.is_typed_low or other.is_typed_low
