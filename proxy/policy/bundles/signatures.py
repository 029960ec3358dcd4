"""Checking that a bundle is, file by file, what one of the known keys has signed (`.signatures.json` of OPA)."""

import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from proxy.core.secret import Secret
from proxy.policy.bundles.hashing import digest_of
from proxy.policy.bundles.keys import public_key
from proxy.policy.errors import BadPolicy

NAME: Final = ".signatures.json"
_OURS: Final = ("", "_default")
_LONGEST_TOKEN: Final = 4 * 1024 * 1024


class SigningKey(Protocol):
    """A key that a bundle may be signed with."""

    @property
    def id(self) -> str:
        """What signatures call it."""
        ...

    @property
    def algorithm(self) -> str:
        """The one algorithm that it is for."""
        ...

    @property
    def key(self) -> Secret | None:
        """The key."""
        ...


class _Signatures(msgspec.Struct):
    signatures: list[str] = []
    plugin: str = ""


class _Named(msgspec.Struct):
    name: str
    hash: str
    algorithm: str = ""


class _Payload(msgspec.Struct):
    files: list[_Named]
    keyid: str = ""
    scope: str = ""


def check_signature(files: Mapping[str, bytes], keys: Sequence[SigningKey], scope: str) -> None:
    """Refuse a bundle that none of the keys has signed as it stands: each file, no other, for this scope.

    Raises:
        BadPolicy: it is not signed, or not so.
    """
    text = files.get(NAME)
    if not keys:
        if text is not None:
            raise BadPolicy([f"{NAME}: the bundle is signed, and no policy.bundle.keys say whose signature is right"])
        return
    if text is None:
        raise BadPolicy([f"{NAME}: is missing: the bundle is not signed"])
    payload = _payload(_token(text), keys)
    if payload.scope != scope:
        raise BadPolicy([f"{NAME}: is signed for the scope {payload.scope!r}, and policy.bundle.scope is {scope!r}"])
    _compare({path: content for path, content in files.items() if path != NAME}, payload)


def _token(text: bytes) -> str:
    try:
        found = msgspec.json.decode(text, type=_Signatures)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadPolicy([f"{NAME}: has another shape: {error}"]) from error
    if found.plugin not in _OURS:
        raise BadPolicy([f"{NAME}: is to be checked by the plugin {found.plugin!r}, which is not known here"])
    if len(found.signatures) != 1 or len(found.signatures[0]) > _LONGEST_TOKEN:
        raise BadPolicy([f"{NAME}: has {len(found.signatures)} signatures; exactly one is taken"])
    return found.signatures[0]


def _payload(token: str, keys: Sequence[SigningKey]) -> _Payload:
    """What is signed, once the signature was found right."""
    import jwt  # noqa: PLC0415 - workers never check a signature: see keys.py

    try:
        header: Mapping[str, Any] = jwt.get_unverified_header(token)
        key = _chosen(header.get("kid") or _claimed_key(token), keys)
        if "crit" in header:
            raise BadPolicy([f"{NAME}: asks for extensions that are not known here"])
        # The algorithm is the key's own, whatever the token says of itself.
        signed = jwt.PyJWS().decode(token, _material(key), algorithms=[key.algorithm])
        return msgspec.json.decode(signed, type=_Payload)
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        if isinstance(error, BadPolicy):
            raise
        raise BadPolicy([f"{NAME}: the signature is wrong: {error}"]) from error


def _claimed_key(token: str) -> str:
    """The key that the payload names where the header names none, as OPA once wrote it; not to be relied on yet."""
    import jwt  # noqa: PLC0415 - as above

    unchecked = jwt.PyJWS().decode(token, options={"verify_signature": False})
    return msgspec.json.decode(unchecked, type=_Payload).keyid


def _chosen(name: object, keys: Sequence[SigningKey]) -> SigningKey:
    if not name and len(keys) == 1:
        return keys[0]
    for key in keys:
        if key.id == name:
            return key
    known = ", ".join(key.id for key in keys)
    raise BadPolicy([f"{NAME}: is signed with the key {str(name)[:100]!r}, and known are: {known}"])


def _material(key: SigningKey) -> Any:
    secret = key.key or Secret("")
    return secret.reveal().encode() if key.algorithm.startswith("HS") else public_key(secret)


def _compare(files: Mapping[str, bytes], payload: _Payload) -> None:
    signed = {each.name.removeprefix("/"): each for each in payload.files}
    problems = [f"{path}: is not among the files that were signed" for path in sorted(files.keys() - signed.keys())]
    problems += [f"{path}: was signed and is missing" for path in sorted(signed.keys() - files.keys())]
    if len(signed) != len(payload.files):
        problems.append(f"{NAME}: names a file twice")
    for path in sorted(files.keys() & signed.keys()):
        named = signed[path]
        if not hmac.compare_digest(digest_of(path, files[path], named.algorithm), named.hash.lower()):
            problems.append(f"{path}: is not what was signed")
    if problems:
        raise BadPolicy(problems)
