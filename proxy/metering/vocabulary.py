"""The two vocabularies that OpenAI's models are billed by, shipped with us and verified when they are loaded.

Files and split patterns: OpenAI's tiktoken (MIT licence, see NOTICE). Nothing here asks the network or the environment.
"""

import binascii
import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import tiktoken

EncodingName: TypeAlias = Literal["o200k_base", "cl100k_base"]

VOCAB_FOLDER: Final = Path(__file__).parent / "vocab"


class BadVocabulary(RuntimeError):
    """A vocabulary file is missing or is not the one that was shipped; the message says which and where."""


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """One vocabulary: the hash its file must have, and how text is cut before pairs are merged."""

    name: EncodingName
    sha256: str
    pattern: str


_CASED: Final = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER: Final = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SHORT_FORM: Final = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"

VOCABULARIES: Final = {
    vocabulary.name: vocabulary
    for vocabulary in (
        Vocabulary(
            name="o200k_base",
            sha256="446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
            pattern="|".join(
                [
                    rf"[^\r\n\p{{L}}\p{{N}}]?{_CASED}*{_LOWER}+{_SHORT_FORM}",
                    rf"[^\r\n\p{{L}}\p{{N}}]?{_CASED}+{_LOWER}*{_SHORT_FORM}",
                    r"\p{N}{1,3}",
                    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
                    r"\s*[\r\n]+",
                    r"\s+(?!\S)",
                    r"\s+",
                ]
            ),
        ),
        Vocabulary(
            name="cl100k_base",
            sha256="223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
            pattern="|".join(
                [
                    r"'(?i:[sdmt]|ll|ve|re)",
                    r"[^\r\n\p{L}\p{N}]?+\p{L}++",
                    r"\p{N}{1,3}+",
                    r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
                    r"\s++$",
                    r"\s*[\r\n]",
                    r"\s+(?!\S)",
                    r"\s",
                ]
            ),
        ),
    )
}
_PRELOADED: Final[dict[EncodingName, tiktoken.Encoding]] = {}


def load(name: EncodingName, folder: Path = VOCAB_FOLDER) -> tiktoken.Encoding:
    """Read and verify one vocabulary: a third of a second of work, off the loop.

    Raises:
        BadVocabulary: the file is missing, or its SHA-256 is not the one expected.
    """
    vocabulary = VOCABULARIES[name]
    ranks = _ranks(_verified(folder / f"{name}.tiktoken", vocabulary.sha256))
    encoding = tiktoken.Encoding(name, pat_str=vocabulary.pattern, mergeable_ranks=ranks, special_tokens={})
    # The table has been compiled; the Python copy of it serves pickling only, and is a third of 100 MB.
    encoding._mergeable_ranks = {}
    return encoding


def preload(name: EncodingName = "o200k_base") -> None:
    """Load a shipped vocabulary, once, for this process and for all that it forks, which share its memory.

    A file that is not as shipped is left to those who count by it.
    """
    if name not in _PRELOADED:
        with contextlib.suppress(BadVocabulary):
            _PRELOADED[name] = load(name)


def preloaded(name: EncodingName, folder: Path) -> tiktoken.Encoding | None:
    """What was loaded before this process was forked, if it is of this folder."""
    return _PRELOADED.get(name) if folder == VOCAB_FOLDER else None


def verify(folder: Path = VOCAB_FOLDER) -> None:
    """Check every vocabulary file without loading it.

    Raises:
        BadVocabulary: a file is missing, or its SHA-256 is not the one expected.
    """
    for vocabulary in VOCABULARIES.values():
        _verified(folder / f"{vocabulary.name}.tiktoken", vocabulary.sha256)


def _verified(file: Path, sha256: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise BadVocabulary(
            f"the vocabulary {file} cannot be read ({error.strerror}); install Flyball again"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise BadVocabulary(
            f"the vocabulary {file} has been changed (SHA-256 {found}, expected {sha256}); install Flyball again"
        )
    return content


def _ranks(content: bytes) -> dict[bytes, int]:
    """A line is a token in base64, a space and its rank."""
    decode = binascii.a2b_base64
    ranks: dict[bytes, int] = {}
    for line in content.split(b"\n"):
        token, _, rank = line.partition(b" ")
        if rank:
            ranks[decode(token)] = int(rank)
    return ranks
