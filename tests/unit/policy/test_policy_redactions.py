"""Kinds of findings in rules: a slip is told at load, with its place."""

import pytest

from proxy.policy import BadPolicy, Bundle, EmbeddedRego
from proxy.policy.bundle import shipped_base

RULES = """package flyball.{point}

obligations contains {{"type": "redact", "kinds": ["pii",
	"shoe_size", "presidio_person", lower("X")]}} if input.x

obligations contains {{"kinds": ["E-Mail"], "type": "redact"}}

obligations contains {{"type": "strip_tool", "name": "shoe_size"}}
"""


@pytest.mark.parametrize("point", ["request", "shadow.request"])
def test_a_kind_that_is_none_is_told_with_file_and_line(point: str) -> None:
    modules = {"flyball/base.rego": shipped_base(), "a/b.rego": RULES.format(point=point)}
    with pytest.raises(BadPolicy) as raised:
        EmbeddedRego(Bundle.of(modules, {}))
    assert raised.value.problems == [
        "a/b.rego:4: redact names 'shoe_size', which is no kind of finding (docs/findings.md)",
        "a/b.rego:6: redact names 'E-Mail', which is no kind of finding (docs/findings.md)",
    ]


def test_kinds_and_categories_are_taken() -> None:
    rule = 'package flyball.request\nobligations contains {"type": "redact", "kinds": ["pii", "jwt", "presidio_x"]}'
    EmbeddedRego(Bundle.of({"flyball/base.rego": shipped_base(), "a.rego": rule}, {}))
