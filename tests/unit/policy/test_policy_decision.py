"""What is read from an engine's answer: nothing but a plain yes is a yes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.policy.decision import CONFLICT, NO_GRANT, read_decision
from proxy.policy.errors import PolicyUnavailable
from proxy.policy.obligations import VALID_AT, Duties, RequireApproval
from proxy.policy.point import Point

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def decided(point: Point = Point.REQUEST, **package: Any) -> Any:
    return read_decision(point, package, "r1")


@pytest.mark.parametrize("allow", [None, False, 1, "true", "yes", [], {}, [True], {"allow": True}])
def test_what_is_not_true_is_a_no(allow: Any) -> None:
    found = decided(allow=allow)
    assert not found.allow and found.code == NO_GRANT


def test_an_undefined_package_is_a_no() -> None:
    assert read_decision(Point.REQUEST, None, "r1").code == NO_GRANT


def test_a_denial_outweighs_the_grant_and_the_first_by_code_is_told() -> None:
    found = decided(allow=True, deny=[{"code": "b", "msg": "second"}, {"code": "a", "msg": "first", "internal": "why"}])
    assert not found.allow and (found.code, found.message) == ("a", "first")
    assert found.denials[0].internal == "why"


@pytest.mark.parametrize(
    "package",
    [
        {"deny": "no"},
        {"deny": ["no"]},
        {"deny": [{"msg": "no code"}]},
        {"obligations": [{"type": "unheard_of"}]},
        {"obligations": [{"type": "cap_tokens", "max": 0}]},
        {"obligations": [{"type": "cap_tokens", "max": "10"}]},
        {"obligations": [{"type": "cap_tokens", "max": 10, "min": 1}]},
        {"obligations": [{"type": "require_approval", "expires_s": 366 * 86_400 + 1}]},
        {"obligations": {}},
        {"deny_candidates": [{"id": "a", "code": "b"}]},
    ],
)
def test_another_shape_is_no_decision_at_all(package: dict[str, Any]) -> None:
    with pytest.raises(PolicyUnavailable):
        decided(allow=True, **package)


OBLIGATIONS: dict[str, dict[str, Any]] = {
    "cap_tokens": {"max": 5},
    "force_model": {"model": "m"},
    "downgrade": {"to": {"gpt-*": "fast"}},
    "strip_tool": {"name": "t"},
    "redact": {"kinds": ["email"]},
    "no_cache": {},
    "require_approval": {"reason": "r"},
    "tag": {"key": "k", "value": "v"},
    "alert": {"msg": "m"},
}


@pytest.mark.parametrize("point", list(Point))
@pytest.mark.parametrize("kind", list(OBLIGATIONS))
def test_each_obligation_means_something_at_its_points_only(kind: str, point: Point) -> None:
    stated = [{"type": kind, **OBLIGATIONS[kind]}]
    valid = next(points for shape, points in VALID_AT.items() if shape.__struct_config__.tag == kind)
    if point in valid:
        assert decided(point, allow=True, obligations=stated).duties != Duties()
    else:
        with pytest.raises(PolicyUnavailable, match=kind):
            decided(point, allow=True, obligations=stated)


def test_caps_are_least_and_strips_redactions_tags_and_alerts_a_union() -> None:
    stated = [
        {"type": "cap_tokens", "max": 500},
        {"type": "cap_tokens", "max": 200},
        {"type": "strip_tool", "name": "a"},
        {"type": "strip_tool", "name": "b"},
        {"type": "redact", "kinds": ["email"]},
        {"type": "redact", "kinds": ["iban", "email"]},
        {"type": "tag", "key": "x", "value": "1"},
        {"type": "tag", "key": "y", "value": "2"},
        {"type": "require_approval", "reason": "slow", "expires_s": 900},
        {"type": "require_approval", "reason": "fast", "expires_s": 60},
        {"type": "force_model", "model": "m"},
        {"type": "force_model", "model": "m"},
    ]
    duties = decided(allow=True, obligations=stated).duties
    assert duties.cap_tokens == 200 and duties.force_model == "m"
    assert duties.strip_tools == {"a", "b"} and duties.redact == {"email", "iban"}
    assert duties.tags == {"x": "1", "y": "2"}
    assert duties.require_approval == RequireApproval(reason="fast", expires_s=60)


@pytest.mark.parametrize(
    "stated",
    [
        [{"type": "force_model", "model": "a"}, {"type": "force_model", "model": "b"}],
        [{"type": "tag", "key": "k", "value": "1"}, {"type": "tag", "key": "k", "value": "2"}],
        [{"type": "downgrade", "to": {"a": "b"}}, {"type": "downgrade", "to": {"a": "c"}}],
    ],
)
def test_what_cannot_both_be_met_is_a_no(stated: list[dict[str, Any]]) -> None:
    for order in (stated, stated[::-1]):
        found = decided(allow=True, obligations=order)
        assert not found.allow and found.code == CONFLICT and found.duties == Duties()


@given(st.dictionaries(st.sampled_from(["allow", "deny", "obligations", "deny_candidates", "helper"]), JSON))
def test_no_package_whatever_passes_without_a_plain_yes(package: dict[str, Any]) -> None:
    try:
        found = read_decision(Point.REQUEST, package, "r1")
    except PolicyUnavailable:
        return
    assert found.allow == (package.get("allow") is True and not package.get("deny"))
