"""What the admin port reads from raw header lines: who is asking, under which name of ours, and on what condition."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from proxy.admin.faults import Fault, Refusal
from proxy.identity import KeyStore

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
LARGEST_BODY: Final = 1_000_000
_BEARER: Final = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]+) *")
_QUALITY: Final = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_HOST: Final = re.compile(rb"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_TAG: Final = re.compile(rb'"([A-Za-z0-9]{1,64})"')
_VERSION: Final = re.compile(r"[1-9][0-9]{0,17}")
ANY: Final = "*"
NOT_YET: Final = "-"
_SPECIAL: Final = {ANY: KeyStore.MUST_EXIST, NOT_YET: KeyStore.MUST_NOT_EXIST}
_IDEMPOTENCY: Final = re.compile(rb"[\x21-\x7e]{1,255}")


def only(headers: Headers, name: bytes) -> bytes | None:
    """The value of a header that may stand once; None when it is absent.

    Raises:
        Refusal: INVALID_REQUEST when it stands more than once: two readers could then read two things.
    """
    values = [value for key, value in headers if key == name]
    if len(values) > 1:
        text = name.decode("latin-1")
        raise Refusal(Fault.INVALID_REQUEST, f"The header {text} stands more than once.", param=text)
    return values[0] if values else None


def bearer(headers: Headers) -> str | None:
    """The token of the one `Authorization: Bearer …` line; None when there is none, several or another scheme."""
    values = [value for name, value in headers if name == b"authorization"]
    match = _BEARER.fullmatch(values[0]) if len(values) == 1 else None
    return None if match is None else match[1].decode("ascii")


def accepted(headers: Headers, offered: Sequence[str]) -> str | None:
    """Which of the offered media types the `Accept` lines like best, the first offered when they are even.

    None when they name none of them.
    """
    given = ",".join(value.decode("latin-1") for name, value in headers if name == b"accept")
    if not given.strip():
        return offered[0]
    liked = dict(_liking(each) for each in given.split(","))
    best = max(offered, key=lambda kind: _liked(liked, kind))
    return best if _liked(liked, best) > 0 else None


def _liking(text: str) -> tuple[str, float]:
    kind, *parameters = (part.strip().lower() for part in text.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    return kind, float(quality) if _QUALITY.fullmatch(quality) else 0.0


def _liked(liked: Mapping[str, float], kind: str) -> float:
    family = kind.partition("/")[0]
    return next((liked[each] for each in (kind, f"{family}/*", "*/*") if each in liked), 0.0)


def host_name(headers: Headers) -> str | None:
    """The one Host header's name in lower case without its port; None when it is absent, doubled or malformed."""
    values = [value for name, value in headers if name == b"host"]
    match = _HOST.fullmatch(values[0]) if len(values) == 1 else None
    return None if match is None else match[1].decode("ascii").lower().removesuffix(".")


class Condition(NamedTuple):
    """What a change expects of the thing it changes: `tag` is an ETag's inner text, `*` any thing, `-` none yet."""

    tag: str | None = None

    @property
    def version(self) -> int | None:
        """The same for a store that counts versions; None expects nothing."""
        if self.tag is None or self.tag in _SPECIAL:
            return None if self.tag is None else _SPECIAL[self.tag]
        return int(self.tag) if _VERSION.fullmatch(self.tag) else KeyStore.NEVER_MATCHES

    def met_by(self, tag: str | None) -> bool:
        """Whether a thing with this tag (None: no such thing) is as expected."""
        if self.tag is None:
            return True
        return tag is None if self.tag == NOT_YET else tag is not None and self.tag in (ANY, tag)


def condition(headers: Headers) -> Condition:
    """What `If-Match` or `If-None-Match: *` expects.

    Raises:
        Refusal: INVALID_REQUEST when a header is malformed or both are given.
    """
    match, none_match = only(headers, b"if-match"), only(headers, b"if-none-match")
    if match is not None and none_match is not None:
        raise Refusal(Fault.INVALID_REQUEST, "If-Match and If-None-Match contradict.", param="if-match")
    if none_match is not None:
        if none_match.strip() != b"*":
            raise Refusal(Fault.INVALID_REQUEST, "If-None-Match may only be *.", param="if-none-match")
        return Condition(NOT_YET)
    if match is None or match.strip() == b"*":
        return Condition(None if match is None else ANY)
    tag = _TAG.fullmatch(match.strip())
    if tag is None:
        raise Refusal(Fault.INVALID_REQUEST, 'If-Match is * or one ETag such as "3".', param="if-match")
    return Condition(tag[1].decode("ascii"))


def idempotency_key(headers: Headers) -> bytes | None:
    """The `Idempotency-Key`; None when there is none.

    Raises:
        Refusal: INVALID_REQUEST unless it is 1 to 255 visible ASCII characters.
    """
    value = only(headers, b"idempotency-key")
    if value is not None and _IDEMPOTENCY.fullmatch(value) is None:
        rule = "1 to 255 visible ASCII characters"
        raise Refusal(Fault.INVALID_REQUEST, f"An Idempotency-Key has {rule}.", param="idempotency-key")
    return value
