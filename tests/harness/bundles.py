"""Bundles in OPA's format, packed and signed as its specification says, by nothing of ours."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

SECRET: Final = "a secret of more than 64 bytes, so that it is fit for each of the three HMACs"
DOCUMENTS: Final = ("data.json", ".manifest")
RULE: Final = """package flyball.request

deny contains {"code": "only_small", "msg": "Only sim-small."} if not input.model in data.allowed
"""
FILES: Final[Mapping[str, bytes]] = {
    "/.manifest": b'{"revision": "r1", "roots": ["flyball", "allowed"]}',
    "/rules/models.rego": RULE.encode(),
    "/data.json": b'{"allowed": ["sim-small"]}',
}


def packed(files: Mapping[str, bytes]) -> bytes:
    """A bundle of these files."""
    return gzip.compress(tar_of((tar_file(name), content) for name, content in files.items()))


def tar_file(name: str) -> tarfile.TarInfo:
    """The entry of a plain file."""
    return tarfile.TarInfo(name)


def tar_of(entries: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A tar archive of these entries; a size that was set stays as it is."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry, content in entries:
            entry.size = entry.size or len(content)
            tar.addfile(entry, io.BytesIO(content))
    return raw.getvalue()


def listed(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    """What a signature says of each file; documents are written anew as Python writes them, so keep them simple."""
    told = []
    for path, content in files.items():
        name = path.lstrip("/")
        if name.rpartition("/")[2] in DOCUMENTS:
            content = json.dumps(json.loads(content), sort_keys=True, separators=(",", ":")).encode()
        told.append({"name": name, "hash": hashlib.sha256(content).hexdigest(), "algorithm": "SHA-256"})
    return told


def signed(
    files: Mapping[str, bytes],
    key: Any = SECRET,
    algorithm: str = "HS256",
    *,
    kid: str | None = "one",
    payload: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
    """The files and their signature; `payload` is put over what is signed."""
    content = {"files": listed(files), **(payload or {})}
    token = jwt.encode(content, key, algorithm=algorithm, headers=None if kid is None else {"kid": kid})
    return {**files, "/.signatures.json": json.dumps({"signatures": [token]}).encode()}


def rsa_pair() -> tuple[str, str]:
    """A private and a public key as PEM."""
    return _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def ec_pair() -> tuple[str, str]:
    """A private and a public key on P-256 as PEM."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
