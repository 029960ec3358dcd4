"""Settings from YAML: exact numbers, every mistake at once, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from proxy.config.fill import Filler
from proxy.config.tree import NotYaml, parse
from proxy.core.secret import Secret


@dataclass(frozen=True, kw_only=True)
class Inner:
    name: str
    limit: Decimal = Decimal(1)


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int = 1
    on: bool = False
    mode: Literal["a", "b"] = "a"
    where: Path | None = None
    inner: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = field(default_factory=dict)
    key: Secret | None = None


def fill(text: str, environment: dict[str, str] | None = None) -> tuple[Outer | None, list[str]]:
    filler = Filler(Path("/base"), environment or {})
    return filler.fill(Outer, parse(text, "f.yaml"), ""), filler.errors


def test_values_are_read_as_written() -> None:
    made, errors = fill("count: 1_000\non: yes\nmode: b\nwhere: sub/x\ninner: [{name: '007', limit: 0.1}]\n")
    assert errors == []
    assert made == Outer(
        count=1000, on=True, mode="b", where=Path("/base/sub/x"), inner=(Inner(name="007", limit=Decimal("0.1")),)
    )


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    made, errors = fill("count: many\nonn: true\nmode: c\ninner:\n  - limit: x\n  - {name: a, name: b}\n")
    assert made is None
    assert errors == [
        "f.yaml:1: count must be a whole number; it is 'many'",
        "f.yaml:2: onn is not a key we know; did you mean 'on'?",
        "f.yaml:3: mode must be one of a, b; it is 'c'",
        "f.yaml:5: inner[0].limit must be a decimal number; it is 'x'",
        "f.yaml:5: inner[0].name is missing and has no default",
        "f.yaml:6: inner[1].name stands twice",
    ]


def test_secrets_come_from_the_environment_or_a_file_only(tmp_path: Path) -> None:
    made, _ = fill("key_env: KEY", {"KEY": " s3cret "})
    assert made is not None
    assert made.key == Secret("s3cret")
    (tmp_path / "key").write_text("from-file\n")
    made, _ = fill(f"key_file: {tmp_path}/key")
    assert made is not None
    assert made.key == Secret("from-file")
    assert "must not stand in a file" in fill("key: s3cret")[1][0]
    assert "KEY is not set" in fill("key_env: KEY")[1][0]


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "--- 1\n--- 2", "x: " + "[" * 40 + "]" * 40])
def test_what_is_not_our_yaml_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(NotYaml, match=r"f\.yaml"):
        parse(text, "f.yaml")
