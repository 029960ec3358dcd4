"""Frameworks as people use them, each in an environment of its own: whole, streamed, with tools, and where money ends.

Four run in every test run, so that what frameworks send is met early; the others with the long ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pytest

from tests.frameworks.environments import HERE, CannotInstall, node_folder, python_of, told_when_absent
from tests.frameworks.stopped import POOR, RICH, Stopped, all_made_by, stopped

CALLERS: Final = {
    "instructor": ("whole", "stream", "tool"),
    "langchain": ("whole", "stream", "tool", "responses", "embed"),
    "openai-agents": ("whole", "stream", "tool", "responses"),
    "pydantic-ai": ("whole", "stream", "tool", "responses"),
    "autogen": ("whole", "stream", "tool"),
    "dspy": ("whole", "stream", "tool"),
    "haystack": ("whole", "stream", "tool"),
    "litellm": ("whole", "stream", "tool", "responses"),
    "semantic-kernel": ("whole", "stream", "tool"),
    "npm openai": ("whole", "stream", "tool", "responses", "embed"),
    "npm langchain": ("whole", "stream", "tool"),
    "npm anthropic": ("whole", "stream", "tool"),
}
"""How each is asked to call."""
IN_EVERY_RUN: Final = ("instructor", "langchain", "openai-agents", "pydantic-ai")

pytestmark = pytest.mark.timeout(900)
EACH: Final = [pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.long, id=name) for name in CALLERS]
RICH_ONES: Final = "key_name = 'rich'"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    with stopped(tmp_path_factory.mktemp("frameworks")) as running:
        yield running


def caller(framework: str) -> Sequence[str]:
    """The command that calls, without how. Raises CannotInstall."""
    if framework.startswith("npm "):
        return ["node", str(node_folder("node") / "call.mjs"), framework.removeprefix("npm ")]
    return [str(python_of(framework)), str(HERE / "callers" / f"call_{framework.replace('-', '_')}.py")]


def made(running: Stopped, framework: str, key: str) -> list[dict[str, Any]]:
    """What it says of all its calls; nothing where it cannot be installed, which is a failure in CI."""
    try:
        command = [*caller(framework), *CALLERS[framework]]
    except CannotInstall as why:
        told_when_absent(why)
        return []
    return all_made_by(command, running, key)


@pytest.mark.parametrize("framework", EACH)
def test_it_works_as_if_nothing_stood_between(running: Stopped, framework: str) -> None:
    before = len(running.flyball.query(f"SELECT operation_id FROM operations WHERE {RICH_ONES}"))
    with running.counted() as asked:
        told = made(running, framework, RICH)
    assert [each["how"] for each in told if each.get("text")] == [each["how"] for each in told], told
    rows = running.flyball.wait_for_rows(before + len(asked), where=RICH_ONES)
    assert {(row["outcome"], row["cost_usd"] is None) for row in rows} <= {("ok", False)}


@pytest.mark.parametrize("framework", EACH)
def test_where_money_ends_each_call_is_asked_once_and_says_so(running: Stopped, framework: str) -> None:
    sent = running.provider.seen.total
    with running.counted() as asked:
        told = made(running, framework, POOR)
    assert len(asked) == len(told), (asked, told)
    assert all("budget" in each.get("said", "") for each in told), told
    assert running.provider.seen.total == sent
