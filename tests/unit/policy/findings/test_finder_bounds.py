"""What looking through texts may take: time that grows as they do, and a memory of a fixed size."""

import time
from itertools import pairwise
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.policy.findings import (
    Finder,
    Finding,
    FindingsSettings,
    Said,
    credentials,
    finder,
    markers,
    national,
    personal,
)
from proxy.policy.findings.finder import MOST_FINDINGS
from proxy.policy.findings.plain import Plain
from proxy.policy.findings.shapes import Expression, Shapes, Span, Tries

FORGETFUL: Final = FindingsSettings(remembered=0)
UNITS: Final = [
    *(
        "a@a.",
        "@",
        "a.",
        "4111 ",
        "1 ",
        "1",
        "1-",
        "+49 30 901820 ",
        "00491",
        "(415) ",
        "DE89 ",
        "AB12",
        "36574261809 ",
    ),
    *(
        "sk-proj-",
        "eyJaaaaaaaaa.",
        "password=",
        "token=a1",
        "://a:b@",
        "-----BEGIN PRIVATE KEY-----",
        "authorization: bearer ",
    ),
    *(
        "ignore all ",
        "ignore previous ",
        "忽略之前",
        "you are now ",
        "<system ",
        "![a](https://x?",
        "<img ",
        "\n\nHuman",
    ),
    *(
        "\\",
        "\\n",
        "\\u0041",
        "\u200b",
        "a\u200b",
        "\U000e0041",
        "ａ",
        "а",
        "🏴",
        "é",
        " ",
        "\n",
        "\x00",
        "aws key ",
        "secret ",
    ),
]
KB: Final = 16


def seconds(finder: Finder, text: str) -> float:
    begun = time.process_time()
    finder.look([Said("tool", 0, text)])
    return time.process_time() - begun


@pytest.mark.alone
@pytest.mark.parametrize("unit", UNITS)
def test_a_hostile_text_takes_time_by_its_length(unit: str) -> None:
    finder = Finder(FORGETFUL)
    short, long = (unit * (size * 1024 // len(unit)) for size in (KB, 8 * KB))
    first = min(seconds(finder, short) for _ in range(2))
    assert seconds(finder, long) < 8 * 4 * first + 0.5


def test_many_numbers_to_be_looked_up_have_a_bound_and_count_as_what_they_look_like() -> None:
    finder = Finder(FORGETFUL)
    numbers = "".join(f"+49 30 {number:07} " for number in range(30_000))
    found = finder.look([Said("user", 0, numbers)]).findings
    assert {finding.kind: finding.count for finding in found}["phone"] > 10_000


def test_what_was_found_in_a_text_is_remembered_and_the_longest_unused_forgotten() -> None:
    finder = Finder(FindingsSettings(remembered=2))
    looked: list[str] = []
    spans = finder.spans

    def looking_on(written: str, tries: Tries) -> list[Span]:
        looked.append(written)
        return spans(written, tries)

    finder.spans = looking_on  # type: ignore[method-assign] # and finds as ever
    for text in ("a@b.de", "c", "a@b.de", "d", "a@b.de", "c"):
        found = finder.look([Said("user", 0, text)]).findings
        assert found == ((Finding("email", "pii", "user", 0, 1),) if "@" in text else ())
    assert looked == ["a@b.de", "c", "d", "c"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([*UNITS, "bob@x.com", " ", "4111111111111111"]), max_size=8).map("".join))
def test_remembering_changes_nothing(text: str) -> None:
    said = [Said("tool", 0, text)] * 2
    assert REMEMBERING.look(said) == Finder(FORGETFUL).look(said)


REMEMBERING: Final = Finder(FindingsSettings())


def test_bytes_beyond_the_bound_are_not_looked_at_and_that_is_told() -> None:
    finder = Finder(FindingsSettings(max_bytes=1024))
    texts = [Said("user", 0, "é" * 500), Said("user", 1, "x" * 30 + " a@b.de"), Said("user", 2, "c@d.de")]
    found = finder.look(texts)
    assert not found.is_whole and found.findings == ()
    assert finder.look(texts[:1]).is_whole


def test_more_findings_than_are_told_are_told_of() -> None:
    found = Finder(FORGETFUL).look(Said("user", number, "a@b.de") for number in range(MOST_FINDINGS + 1))
    assert len(found.findings) == MOST_FINDINGS and not found.is_whole


@given(st.text())
def test_places_in_the_plain_text_are_places_in_the_written_one(text: str) -> None:
    written = text.replace("a", "\\u0041").replace("b", "\u200b").replace("c", "\\n")
    plain = Plain(written)
    ends = [plain.place(at, at + 1) for at in range(len(plain.text))]
    assert all(start < end for start, end in ends)
    assert all(one[1] <= other[0] for one, other in pairwise(ends))
    assert ends == [] or ends[-1][1] <= len(written)


def test_what_is_looked_with_can_be_made_beforehand() -> None:
    Finder(FORGETFUL).prepare()
    modules = (credentials, finder, markers, national, personal)
    held = [value for module in modules for value in vars(module).values()]
    expressions = [value for value in held if isinstance(value, Expression)]
    for shapes in (value for value in held if isinstance(value, Shapes)):
        expressions += [shapes._any, *(expression for _, expression in shapes._shapes)]
    regional = {personal._HOME}
    assert len(expressions) > 60
    assert [each for each in expressions if each not in regional and "made" not in vars(each)] == []
