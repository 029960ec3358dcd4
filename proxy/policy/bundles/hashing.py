"""The digests that a bundle's signature names: of a document its meaning is hashed, of every other file its bytes.

Numbers are hashed as they are written, texts as Go's encoder writes them: that is how OPA signs.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from proxy.policy.errors import BadPolicy

DOCUMENTS: Final = frozenset({"data.json", "data.yaml", ".manifest"})
"""Not `data.yml`: OPA reads it as a document, and hashes its bytes."""
_DIGESTS: Final = {
    "SHA-224": "sha224",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
    "SHA-512-224": "sha512_224",
    "SHA-512-256": "sha512_256",
}
"""OPA's MD5 and SHA-1 are no digests to rely on, and are not taken."""


@dataclass(frozen=True, slots=True)
class _Number:
    text: str


def digest_of(path: str, content: bytes, algorithm: str) -> str:
    """The hexadecimal digest of a file.

    Raises:
        BadPolicy: an algorithm that is not taken, or a document that cannot be read.
    """
    name = _DIGESTS.get(algorithm)
    if name is None:
        raise BadPolicy([f"{path}: is hashed by {algorithm or 'nothing'}; taken are {', '.join(_DIGESTS)}"])
    hashed = hashlib.new(name)
    if path.rpartition("/")[2] not in DOCUMENTS:
        hashed.update(content)
        return hashed.hexdigest()
    try:
        for part in _written(_document(path, content)):
            hashed.update(part.encode())
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        raise BadPolicy([f"{path}: is no document that can be hashed: {error}"]) from error
    return hashed.hexdigest()


class _PlainLoader(yaml.SafeLoader):
    """Takes no aliases: a few lines of them stand for more than any memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken in bundles")
        return super().compose_node(parent, index)


def plain_yaml(text: str) -> Any:
    """A YAML document without aliases.

    Raises:
        yaml.YAMLError, RecursionError, ValueError: it is none.
    """
    return yaml.load(text, Loader=_PlainLoader)


def _document(path: str, content: bytes) -> Any:
    text = content.decode("utf-8")
    if path.endswith((".yaml", ".yml")):
        return plain_yaml(text)
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_refused)


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _written(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield "{"
        # Go compares texts by their bytes.
        for number, key in enumerate(sorted(value, key=lambda name: _text(name).encode())):
            yield f"{',' if number else ''}{_text(key)}:"
            yield from _written(value[key])
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, each in enumerate(value):
            yield "," if number else ""
            yield from _written(each)
        yield "]"
    elif isinstance(value, _Number):
        yield value.text
    elif isinstance(value, str):
        yield _text(value)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))  # of YAML, whose 1.0 Go writes as 1
    else:
        yield json.dumps(value, allow_nan=False)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the name {value!r} is no text")
    # Half of a pair of surrogates is no sign: Go puts the sign for that in its place.
    whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return json.dumps(whole, ensure_ascii=False).replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
