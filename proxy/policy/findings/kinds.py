"""The closed table of what is looked for in texts: each kind's name, and the category that it belongs to."""

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

Category: TypeAlias = Literal["pii", "secret", "injection"]

_PII: Final = (
    *("email", "phone", "card", "iban"),
    *("us_ssn", "ca_sin", "br_cpf", "in_aadhaar"),
    *("de_tax_id", "de_id_card", "ch_ahv", "gb_nino", "gb_nhs", "fr_nir", "es_dni", "it_tax_code", "nl_bsn"),
    *("be_national_id", "pl_pesel", "se_personal_id", "no_personal_id", "fi_personal_id"),
)
_SECRETS: Final = (
    *("openai_key", "anthropic_key", "aws_access_key", "aws_secret_key", "gcp_key", "azure_key"),
    *("github_token", "gitlab_token", "slack_token", "stripe_key", "huggingface_token", "sendgrid_key"),
    *("npm_token", "pypi_token", "flyball_key"),
    *("private_key", "jwt", "auth_header", "url_password", "assigned_secret"),
)
_INJECTION: Final = (
    *("instruction_override", "persona_override", "prompt_extraction", "concealment"),
    *("role_markup", "hidden_text", "exfiltration_image"),
)

CATEGORIES: Final[dict[str, tuple[str, ...]]] = {"pii": _PII, "secret": _SECRETS, "injection": _INJECTION}
KINDS: Final[dict[str, Category]] = {
    **dict.fromkeys(_PII, "pii"),
    **dict.fromkeys(_SECRETS, "secret"),
    **dict.fromkeys(_INJECTION, "injection"),
}


_OF_PRESIDIO: Final = re.compile(r"presidio_[a-z][a-z_]{0,63}")
"""Kinds that are there where `policy.findings.presidio` names their entities."""


def category_of(kind: str) -> Category:
    """The category of a kind."""
    return KINDS.get(kind, "pii")


def kinds_of(names: Iterable[str], more_pii: Iterable[str] = ()) -> frozenset[str]:
    """The kinds that names of kinds and categories stand for; `more_pii` are kinds of `pii` that are looked for too."""
    categories = {**CATEGORIES, "pii": (*CATEGORIES["pii"], *more_pii)}
    return frozenset(kind for name in names for kind in categories.get(name, (name,)))


def unknown_names(names: Iterable[str]) -> list[str]:
    """Those that name neither a kind nor a category."""
    return sorted({name for name in names if not (name in KINDS or name in CATEGORIES or _OF_PRESIDIO.fullmatch(name))})
