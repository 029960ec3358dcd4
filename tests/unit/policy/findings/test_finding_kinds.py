"""Each kind: what it is found in, and what only looks like it."""

import pytest

from proxy.policy.findings import CATEGORIES, KINDS, Finder, FindingsSettings, Said, kinds_of, unknown_names
from tests.unit.policy.findings.cases import FOUND, NOT_FOUND

FINDER = Finder(FindingsSettings())


def kinds(text: str, role: str = "user") -> dict[str, int]:
    return {finding.kind: finding.count for finding in FINDER.look([Said(role, 0, text)]).findings}


def test_every_kind_has_texts_with_it_and_without() -> None:
    assert set(FOUND) == set(NOT_FOUND) == set(KINDS)
    assert set(KINDS) == {kind for kinds in CATEGORIES.values() for kind in kinds}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOUND.items() for text in texts])
def test_what_is_of_a_kind_is_found(kind: str, text: str) -> None:
    assert kinds(text).get(kind, 0) >= 1
    assert kinds(f"See this: {text}\nand reply.").get(kind, 0) >= 1


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in NOT_FOUND.items() for text in texts])
def test_what_only_looks_like_it_is_not(kind: str, text: str) -> None:
    assert kind not in kinds(text)


def test_names_of_kinds_and_categories() -> None:
    assert kinds_of(["pii"]) == set(CATEGORIES["pii"]) and kinds_of(["email", "card"]) == {"email", "card"}
    assert unknown_names(["pii", "email", "shoe_size", "E-Mail"]) == ["E-Mail", "shoe_size"]
