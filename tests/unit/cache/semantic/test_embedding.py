"""The local model, and the labelled set under it: the configuration that would serve."""

from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from proxy.cache.semantic.embedding import EmbedderAway
from proxy.cache.semantic.embedding.minilm import MiniLm
from proxy.cache.semantic.embedding.wordpiece import WordPiece
from proxy.cache.semantic.gate import is_same, read
from proxy.cache.semantic.settings import SemanticSettings
from tests.unit.cache.semantic.labelled import pairs, paraphrases, texts


@lru_cache(maxsize=1)
def vectors() -> dict[str, NDArray[np.float32]]:
    """The vectors of the labelled set's texts that some other text has the form of: nothing else could be a hit."""
    model = MiniLm()
    forms: dict[tuple[str, ...], list[str]] = {}
    for text in texts():
        if (reading := read(text)) is not None:
            forms.setdefault(reading.form, []).append(text)
    return {text: model.embed(text) for alike in forms.values() if len(alike) > 1 for text in alike}


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("What is the capital of France?", [101, 2054, 2003, 1996, 3007, 1997, 2605, 1029, 102]),
        ("Straßenbahn café naïve", [101, 2358, 27807, 27698, 4430, 2078, 7668, 15743, 102]),
        ("", [101, 102]),
    ],
)
def test_pieces_are_those_of_the_models_own_tokenizer(text: str, pieces: list[int]) -> None:
    assert WordPiece.shipped().pieces(text, 64) == pieces


def test_there_are_never_more_pieces_than_the_model_reads() -> None:
    pieces = WordPiece.shipped().pieces("word " * 1000, 256)
    assert (len(pieces), pieces[0], pieces[-1]) == (256, 101, 102)


def test_vectors_have_length_one_and_lie_near_for_what_is_alike() -> None:
    model = MiniLm()
    one, other, far = (
        model.embed(text) for text in ("How do I bake bread?", "How to bake bread", "Who won the election?")
    )
    assert one.shape == (384,)
    assert float(np.linalg.norm(one)) == pytest.approx(1, abs=1e-5)
    assert float(one @ other) > 0.9 > 0.5 > float(one @ far)


def test_another_file_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"something else")
    with pytest.raises(EmbedderAway, match="not the model that is known here"):
        MiniLm(file).embed("x")


def test_as_it_would_serve_the_labelled_set_has_no_false_hit() -> None:
    threshold, held = SemanticSettings().threshold, vectors()
    hits = [
        (one, other)
        for one, other in combinations(held, 2)
        if is_same(read(one), read(other)) and float(held[one] @ held[other]) >= threshold  # type: ignore[arg-type]
    ]
    false = [hit for hit in hits if frozenset(hit) not in paraphrases()]
    assert false == []
    found = {frozenset(hit) for hit in hits}
    same = [pair for pair in pairs() if pair.same and frozenset((pair.one, pair.other)) in found]
    # Of 80 and of 40; docs/cache.md tells them.
    assert [sum(pair.held_out is held_out for pair in same) for held_out in (False, True)] == [53, 22]
