"""Files of one package put together: places stay those of the files, and names keep their one meaning."""

import pytest

from proxy.policy.bundle import Bundle, shipped_base
from proxy.policy.errors import BadPolicy, PolicyUnavailable
from proxy.policy.rego import EmbeddedRego


def engine(**files: str) -> EmbeddedRego:
    modules = {f"{name}.rego": text for name, text in files.items()}
    return EmbeddedRego(Bundle.of({"flyball/base.rego": shipped_base(), **modules}, {"größe": {"n": 1}, "s": {"n": 2}}))


FIRST = "# größe\npackage p\n\nimport rego.v1\nimport data.s as s\n\na := s.n\n"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ('package p\nimport data["größe"] as s\nb := s.n', "second.rego:2: imports data[\"größe\"] as 's'"),
        ("package p\ns := 3", "first.rego:5: imports data.s as 's', which is another name in second.rego"),
        ("package p\nb if { some s in [1]; s == 1 }", "first.rego:5"),
        ("package p\nb := x if x := crypto.sha256(input.a)", "second.rego:2:29: could not find function crypto.sha256"),
    ],
)
def test_what_cannot_be_is_told_with_file_and_line(second: str, said: str) -> None:
    with pytest.raises(BadPolicy) as bad:
        engine(first=FIRST, second=second)
    assert said in str(bad.value)


def test_an_error_while_deciding_is_told_with_file_and_line() -> None:
    both = engine(first=FIRST, second="package p\n\nb := 1 if input.x\n\nb := 2 if input.x\n")
    with pytest.raises(PolicyUnavailable) as bad:
        both.evaluate("data.p", {"x": True})
    assert "second.rego:5:1" in bad.value.reason


@pytest.mark.parametrize(
    "second",
    [
        "package p\nimport data.s as s\nb := s.n",
        "package p\nimport data.s\nb := s.n",
        'package p # größe\nimport data["größe"] as t # t\nb := t.n + 1',
        "package p\nb := data.s.n\nc := `\nimport data.x as s\npackage q\n`",
        "package p\nimport future.keywords.in\nb := 2 if 1 in [1]",
    ],
)
def test_the_same_name_for_the_same_and_other_names_go_together(second: str) -> None:
    found = engine(first=FIRST, second=second).evaluate("data.p", {}) or {}
    assert (found["a"], found["b"]) == (2, 2)
    if "c" in found:
        assert found["c"] == "\nimport data.x as s\npackage q\n"


INNER = "package packs.a.c\nx contains 1 if y\ny if true"


@pytest.mark.parametrize(
    ("reader", "inner", "said"),
    [
        ("package q\nr := data.packs.a", INNER, "reader.rego: reads data.packs.a whole"),
        ("package q\nimport data.packs\nr := packs.a.x", INNER, "reader.rego: reads data.packs whole"),
        ("package q\nr := data.flyball", "package flyball.request\nx := 1", "reader.rego: reads data.flyball whole"),
        ("package flyball.request\nx := 1", "package flyball.request.lib\nx := 1", "reads data.flyball.request whole"),
        (
            "package flyball.shadow.route\nx := 1",
            "package flyball.shadow.route.lib\nx := 1",
            "flyball.shadow.route whole",
        ),
    ],
)
def test_a_package_with_one_inside_is_not_read_whole(reader: str, inner: str, said: str) -> None:
    with pytest.raises(BadPolicy, match="leave out rules") as bad:
        engine(reader=reader, inner=inner, outer="package packs.a\nx contains 2")
    assert said in str(bad.value)


def test_its_rules_are_read_by_name() -> None:
    reader = "package q\nimport data.packs.b\nr := [data.packs.a.x, data.packs.a.c.x, b.z]"
    found = engine(reader=reader, inner=INNER, outer="package packs.a\nx contains 2", b="package packs.b\nz := 3")
    assert found.evaluate("data.q", {}) == {"r": [[2], [1], 3]}
