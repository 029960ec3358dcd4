"""Signed bundles: what was signed is taken, and nothing that differs from it by a byte."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import jwt
import pytest

from proxy.core.secret import Secret
from proxy.policy.bundles import BundleKey, BundleSettings, read_archive
from proxy.policy.bundles.hashing import digest_of
from proxy.policy.errors import BadPolicy
from tests.harness.bundles import FILES, SECRET, ec_pair, listed, packed, rsa_pair, signed

Files = dict[str, bytes]
ONE = BundleKey(id="one", algorithm="HS256", key=Secret(SECRET))
PRIVATE, PUBLIC = rsa_pair()
EC_PRIVATE, EC_PUBLIC = ec_pair()
SIGNED = signed(FILES)


def take(files: Files, *keys: BundleKey, scope: str = "") -> str:
    return read_archive(packed(files), BundleSettings(keys=keys or (ONE,), scope=scope)).named


def token_of(files: Files) -> str:
    token: str = json.loads(files["/.signatures.json"])["signatures"][0]
    return token


def with_tokens(*tokens: str, plugin: str = "") -> Files:
    return {**FILES, "/.signatures.json": json.dumps({"signatures": tokens, "plugin": plugin}).encode()}


@pytest.mark.parametrize(
    ("algorithm", "private", "public"),
    [(f"HS{n}", SECRET, SECRET) for n in (256, 384, 512)]
    + [(f"{kind}{n}", PRIVATE, PUBLIC) for kind in ("RS", "PS") for n in (256, 384, 512)]
    + [("ES256", EC_PRIVATE, EC_PUBLIC)],
)
def test_each_algorithm_is_taken_with_its_key(algorithm: str, private: str, public: str) -> None:
    key = BundleKey(id="one", algorithm=algorithm, key=Secret(public))  # type: ignore[arg-type] # each of them by its name
    assert take(signed(FILES, private, algorithm), key) == "r1"
    assert BundleSettings(url="https://x/b", keys=(key,)).contradictions() == []


def test_a_bundle_may_be_signed_by_either_key_while_one_takes_the_others_place() -> None:
    two = BundleKey(id="two", algorithm="RS256", key=Secret(PUBLIC))
    assert take(SIGNED, ONE, two) == take(signed(FILES, PRIVATE, "RS256", kid="two"), ONE, two) == "r1"
    claimed = signed(FILES, PRIVATE, "RS256", kid=None, payload={"keyid": "two"})
    assert take(claimed, ONE, two) == "r1"
    assert take(signed(FILES, kid=None), ONE) == "r1"
    with pytest.raises(BadPolicy, match="known are: one, two"):
        take(signed(FILES, kid=None), ONE, two)


def test_a_scope_must_be_the_one_that_is_set() -> None:
    scoped = signed(FILES, payload={"scope": "production"})
    assert take(scoped, scope="production") == "r1"
    for files, scope in ((scoped, ""), (scoped, "test"), (SIGNED, "production")):
        with pytest.raises(BadPolicy, match="is signed for the scope"):
            take(files, scope=scope)


def replaced(path: str, content: bytes) -> Callable[[], Files]:
    return lambda: {**SIGNED, path: content}


def forged(**header: object) -> str:
    payload = json.dumps({"files": listed(FILES)}).encode()
    parts = (json.dumps({"kid": "one", "typ": "JWT", **header}).encode(), payload, b"")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def confused() -> Files:
    """Signed with the public key as the secret of an HMAC; PyJWT itself would not make it."""
    head, body, _ = forged(alg="HS256").split(".")
    mac = hmac.new(PUBLIC.encode(), f"{head}.{body}".encode(), "sha256").digest()
    return with_tokens(f"{head}.{body}." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode())


def without(path: str) -> Files:
    return {name: content for name, content in SIGNED.items() if name != path}


TAMPERED: dict[str, Callable[[], Files]] = {
    "no signature": lambda: dict(FILES),
    "a rule by a byte": replaced("/rules/models.rego", FILES["/rules/models.rego"] + b"\n"),
    "data by a letter": replaced("/data.json", b'{"allowed": ["sim-smalL"]}'),
    "data that says it another way": replaced("/data.json", b'{"allowed": ["sim-small", "sim-small"]}'),
    "the manifest": replaced("/.manifest", b'{"revision": "r1"}'),
    "a file more": replaced("/rules/more.rego", b"package more"),
    "a file more that is not read": replaced("/README.md", b"Hi"),
    "a file less": lambda: without("/data.json"),
    "no manifest": lambda: without("/.manifest"),
    "another secret": lambda: signed(FILES, "another secret of more than 64 bytes, so that it is fit for HMACs too"),
    "another key's name": lambda: signed(FILES, kid="two"),
    "another algorithm": lambda: signed(FILES, SECRET, "HS512"),
    "no algorithm": lambda: with_tokens(forged(alg="none")),
    "no algorithm in other letters": lambda: with_tokens(forged(alg="NONE")),
    "an algorithm without a signature": lambda: with_tokens(forged(alg="HS256")),
    "extensions": lambda: with_tokens(
        jwt.encode({"files": listed(FILES)}, SECRET, headers={"kid": "one", "crit": ["x"], "x": 1})
    ),
    "two signatures": lambda: with_tokens(token_of(SIGNED), token_of(SIGNED)),
    "no signatures": lambda: with_tokens(),
    "no token": lambda: with_tokens("a.b.c"),
    "a text": lambda: with_tokens("yes"),
    "no JSON": replaced("/.signatures.json", b"yes"),
    "another shape": replaced("/.signatures.json", b'{"signatures": "yes"}'),
    "a plugin": lambda: with_tokens(token_of(SIGNED), plugin="mine"),
    "another payload": lambda: with_tokens(jwt.encode({"files": "all"}, SECRET, headers={"kid": "one"})),
    "another order of its parts": lambda: with_tokens(".".join(reversed(token_of(SIGNED).split(".")))),
    "a file named twice": lambda: signed(FILES, payload={"files": [*listed(FILES), *listed(FILES)]}),
    "a weak digest": lambda: signed(FILES, payload={"files": [{**each, "algorithm": "MD5"} for each in listed(FILES)]}),
    "no digest": lambda: signed(FILES, payload={"files": [{**each, "algorithm": ""} for each in listed(FILES)]}),
    "a digest of nothing": lambda: signed(FILES, payload={"files": [{**each, "hash": ""} for each in listed(FILES)]}),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_was_not_signed_so_is_refused(name: str) -> None:
    assert take(SIGNED) == "r1"
    with pytest.raises(BadPolicy):
        take(TAMPERED[name]())


def test_each_byte_of_a_rule_counts() -> None:
    rule = FILES["/rules/models.rego"]
    for at in range(len(rule)):
        changed = rule[:at] + bytes([rule[at] ^ 1]) + rule[at + 1 :]
        with pytest.raises(BadPolicy, match=r"rules/models\.rego: is not what was signed"):
            take({**SIGNED, "/rules/models.rego": changed})


def test_a_public_key_is_no_secret() -> None:
    key = BundleKey(id="one", algorithm="RS256", key=Secret(PUBLIC))
    with pytest.raises(BadPolicy, match="signature is wrong"):
        take(confused(), key)
    with pytest.raises(BadPolicy, match="signature is wrong"):
        take(signed(FILES, EC_PRIVATE, "ES256"), key)


def test_a_document_may_be_written_another_way() -> None:
    assert take({**SIGNED, "/data.json": b'{\n  "allowed" : ["sim-\\u0073mall"]\n}'}) == "r1"


def test_a_signed_bundle_is_not_taken_unseen() -> None:
    with pytest.raises(BadPolicy, match=r"no policy\.bundle\.keys"):
        read_archive(packed(SIGNED), BundleSettings())


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        (b'{"b": 1.0, "a": 1e3, "A": -0}', '{"A":-0,"a":1e3,"b":1.0}'),
        (b'[true, null, "\\u00e9\\n\\u2028<&>\\u0007\\ud800"]', '[true,null,"é\\n\\u2028<&>\\u0007\ufffd"]'),
        ('{"\U0001f600": 1, "\uffff": 2}'.encode(), '{"\uffff":2,"\U0001f600":1}'),
        (b"{}", "{}"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_documents_are_hashed_as_opa_hashes_them(written: bytes, canonical: str) -> None:
    expected = hashlib.sha256(canonical.encode()).hexdigest()
    assert digest_of("x/data.json", written, "SHA-256") == expected
    assert digest_of("x/other.json", written, "SHA-256") == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize("content", [b"{", b"NaN", b"\xff", b"[" * 100_000])
def test_what_is_no_document_has_no_digest(content: bytes) -> None:
    with pytest.raises(BadPolicy, match="no document"):
        digest_of("data.json", content, "SHA-256")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (BundleKey(id="a", algorithm="HS256", key=Secret("short")), "is a secret of less than 32 bytes"),
        (BundleKey(id="a", algorithm="RS256", key=Secret("no pem")), "is no public key as PEM"),
        (BundleKey(id="a", algorithm="RS256", key=Secret(PRIVATE)), "is no public key as PEM"),
        (BundleKey(id="a", algorithm="RS256", key=Secret(EC_PUBLIC)), "is no public RSA key"),
        (BundleKey(id="a", algorithm="ES256", key=Secret(PUBLIC)), "is no public key on secp256r1"),
        (BundleKey(id="a", algorithm="ES384", key=Secret(EC_PUBLIC)), "is no public key on secp384r1"),
        (BundleKey(), "is missing; use key_env or key_file"),
    ],
)
def test_a_key_that_fits_not_is_told_and_not_shown(key: BundleKey, said: str) -> None:
    (sentence,) = BundleSettings(url="https://x/b", keys=(key,)).contradictions()
    assert sentence.startswith(f"policy.bundle.keys[0].key: {said}")
