"""Keys, tokens and passwords: the formats that providers give their keys, and values assigned to names that say so."""

import base64
import json
import math
import re
from collections import Counter
from typing import Final

from proxy.policy.findings.shapes import Shape, Shapes

_LEAST_BITS: Final = 2.5
"""Per character: what no word of one's own falls below that is worth calling a password."""
_LEAST_TOKEN_BITS: Final = 3.0
_LEAST_PASSWORD_CHARS: Final = 6
_LEAST_TOKEN_CHARS: Final = 16
_MOST_CHARS: Final = 256
_NAME: Final = re.compile(r"\$?[A-Za-z_]+|[A-Za-z_][\w\-]*(?:[.:][A-Za-z_][\w\-]*)+")
"""A value that is a name in a program, of one word or of several: `get_password`, `config.db.password2`."""
_PLACEHOLDER: Final = re.compile(
    r"your|example|placeholder|change.?me|redacted|dummy|sample|foobar|x{4}|\*{3}|\.{3}|\bnone\b|\bnull\b|\btrue\b|\bfalse\b"
    r"|^[$%<{\[]|environ|getenv|process\.env",
    re.IGNORECASE,
)
_QUOTE: Final = r"[\"'`]*"
_GIVES: Final = rf"{_QUOTE}\s*(?:=>|:=|=|:|\bis\b)\s*{_QUOTE}"


def entropy(text: str) -> float:
    """Shannon's measure over its characters, in bits per character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def _is_password(value: str) -> bool:
    """Whether letters stand there beside something else, in no order that a name or a placeholder has."""
    value = value[:_MOST_CHARS]
    kinds = {"a" if letter.isalpha() else "0" if letter.isdigit() else "." for letter in value}
    named = _NAME.fullmatch(value) is not None
    return (
        len(value) >= _LEAST_PASSWORD_CHARS
        and "a" in kinds
        and len(kinds) > 1
        and not named
        and not _PLACEHOLDER.search(value)
        and entropy(value) >= _LEAST_BITS
    )


def _is_token(value: str) -> bool:
    value = value[:_MOST_CHARS]
    has_both = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return (
        len(value) >= _LEAST_TOKEN_CHARS
        and has_both
        and not _PLACEHOLDER.search(value)
        and entropy(value) >= _LEAST_TOKEN_BITS
    )


def _is_key(value: str) -> bool:
    """Of a known format: only what is plainly no key is left out."""
    return len(set(value[8:])) > 6


def _is_jwt(value: str) -> bool:
    head = value.partition(".")[0]
    try:
        told = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and ("alg" in told or "typ" in told)


def _is_private_key(value: str) -> bool:
    return len(re.sub(r"-----[A-Z0-9 ]+-----|\s", "", value)) >= 40


KEYS: Final = Shapes(
    [
        Shape("openai_key", r"\bsk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_\-]{20,}", _is_key),
        Shape("openai_key", r"\bsk-[A-Za-z0-9]{32,}\b", _is_key),
        Shape("anthropic_key", r"\bsk-ant-[A-Za-z0-9]{1,16}-[A-Za-z0-9_\-]{24,}", _is_key),
        Shape("aws_access_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", _is_key),
        Shape("gcp_key", r"\bAIza[A-Za-z0-9_\-]{35}", _is_key),
        Shape("gcp_key", r"\bya29\.[A-Za-z0-9_\-]{30,}", _is_key),
        Shape("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})", _is_key),
        Shape("gitlab_token", r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_\-]{20,}", _is_key),
        Shape("slack_token", r"\bxox[abeoprs]-[A-Za-z0-9\-]{20,}|\bxapp-\d-[A-Za-z0-9\-]{20,}", _is_key),
        Shape("slack_token", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_]{30,}", _is_key),
        Shape("stripe_key", r"\b(?:[sr]k_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9+/=]{24,})", _is_key),
        Shape("huggingface_token", r"\bhf_[A-Za-z0-9]{30,}", _is_key),
        Shape("sendgrid_key", r"\bSG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{32,}", _is_key),
        Shape("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b", _is_key),
        Shape("pypi_token", r"\bpypi-AgE[A-Za-z0-9_\-]{40,}", _is_key),
        Shape("flyball_key", r"\bfb-[A-Za-z0-9_\-]{30,}", _is_key),
        Shape(
            "private_key",
            r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[A-Za-z0-9+/=\s\\,:.()]|-[A-Za-z0-9])*(?:-----END [A-Z0-9 ]+-----)?",
            _is_private_key,
        ),
        Shape("jwt", r"\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*", _is_jwt),
    ]
)  # fmt: skip
"""By their formats."""
ASSIGNED: Final = Shapes(
    [
        Shape(
            "aws_secret_key",
            rf"(?i)(?:aws|secret)[\w.\- ]*(?:key|secret)[\w.\- ]*{_GIVES}([A-Za-z0-9/+]{{40}})(?:[^A-Za-z0-9/+]|$)",
            _is_token,
        ),
        Shape("azure_key", r"(?i)\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{42,86}={1,2})", _is_key),
        Shape(
            "auth_header",
            r"(?i)authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+([A-Za-z0-9+/=._\-]+)",
            _is_key,
        ),
        Shape("url_password", r"(?i)\b[a-z][a-z0-9+.\-]*://[^\s:/@\"']*:([^\s/@\"'<>{}\[\]$]+)@"),
        Shape(
            "assigned_secret",
            r"(?i)(?:passw(?:or)?d|passphrase|passcode|pwd|kennwort|passwort|contraseña|mot de passe)"
            rf"{_GIVES}([^\s\"'`,;<>(){{}}\[\]\\]+)",
            _is_password,
        ),
        Shape(
            "assigned_secret",
            r"(?i)(?:secret|token|credential"
            r"|(?:api|access|auth|signing|encryption|client|master|service|private)[_\- ]?key)"
            rf"(?:[_\-][A-Za-z0-9]+)*{_GIVES}([A-Za-z0-9+/=_.~\-]+)",
            _is_token,
        ),
    ]
)  # fmt: skip
"""By the names that they are given to."""
