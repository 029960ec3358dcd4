"""Keys of signatures, each fit for its one algorithm."""

from typing import Any, Final

from proxy.core.secret import Secret

_CURVES: Final = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
_LEAST_RSA_BITS: Final = 2048
_BITS_PER_BYTE: Final = 8


def unusable(algorithm: str, key: Secret) -> str:
    """Why a key cannot be used with an algorithm; empty when it can. What it is is not repeated."""
    if algorithm.startswith("HS"):
        least = int(algorithm[2:]) // _BITS_PER_BYTE
        return "" if len(key.reveal().encode()) >= least else f"is a secret of less than {least} bytes"
    try:
        loaded = public_key(key)
    except (ValueError, TypeError):
        return "is no public key as PEM (-----BEGIN PUBLIC KEY-----)"
    curve = getattr(getattr(loaded, "curve", None), "name", None)
    if algorithm in _CURVES:
        return "" if curve == _CURVES[algorithm] else f"is no public key on {_CURVES[algorithm]}"
    if not _is_rsa(loaded):
        return "is no public RSA key"
    return "" if loaded.key_size >= _LEAST_RSA_BITS else f"is an RSA key of less than {_LEAST_RSA_BITS} bits"


def public_key(key: Secret) -> Any:
    """The key that a PEM text is.

    Raises:
        ValueError, TypeError: it is none.
    """
    # Workers never check a signature, and have no use for its 10 MB of code.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - see above

    try:
        return load_pem_public_key(key.reveal().encode())
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None


def _is_rsa(loaded: Any) -> bool:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - as above

    return isinstance(loaded, RSAPublicKey)
