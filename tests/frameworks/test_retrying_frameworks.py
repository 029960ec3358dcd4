"""Frameworks that try again on their own make one HTTP request on a budget stop; each in an environment of its own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from tests.frameworks.environments import HERE, CannotInstall, node_folder, python_of, told_when_absent
from tests.frameworks.stopped import POOR, RICH, Stopped, made_by, stopped

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Caller:
    """A framework, and how it is asked to call. `command` installs it when it is not there yet."""

    name: str
    command: Callable[[], Sequence[str]]

    def __str__(self) -> str:
        return self.name


def _python(framework: str, how: str) -> Caller:
    script = HERE / "callers" / f"call_{framework.replace('-', '_')}.py"
    return Caller(f"{framework}-{how}", lambda: [str(python_of(framework)), str(script), how])


def _node(provider: str, how: str) -> Caller:
    return Caller(f"vercel-{provider}-{how}", lambda: ["node", str(node_folder("vercel") / "call.mjs"), provider, how])


CALLERS: Final = (
    *(_python("llama-index", how) for how in ("whole", "stream", "async", "agent")),
    *(_python("crewai", how) for how in ("whole", "stream", "crew-once")),
    *(_python("smolagents", how) for how in ("whole", "stream", "agent")),
    *(_node(provider, how) for provider in ("openai", "responses", "compatible") for how in ("whole", "stream")),
)
PLAIN: Final = [caller for caller in CALLERS if caller.name.endswith("whole")]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    with stopped(tmp_path_factory.mktemp("frameworks")) as running:
        yield running


def installed(caller: Caller) -> Sequence[str] | None:
    try:
        return caller.command()
    except CannotInstall as why:
        told_when_absent(why)
        return None


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_a_budget_stop_is_one_request(running: Stopped, caller: Caller) -> None:
    command = installed(caller)
    if command is None:
        return
    before = running.refusals()
    with running.counted() as asked:
        told = made_by(command, running, POOR)
    assert len(asked) == 1, (asked, told)
    assert "error" in told
    assert "budget" in told["said"], told
    running.flyball.wait_for_rows(before + 1, where="code = 'budget_exceeded'")
    assert running.refusals() == before + 1


@pytest.mark.parametrize("caller", PLAIN, ids=str)
def test_with_money_it_answers_and_an_overloaded_provider_is_tried_again(running: Stopped, caller: Caller) -> None:
    """So the one request is the stop's doing: the framework works, and what may pass it does repeat."""
    command = installed(caller)
    if command is None:
        return
    with running.counted() as asked:
        told = made_by(command, running, RICH)
    assert (len(asked), "text" in told) == (1, True), told
    with running.overloaded(), running.counted() as repeated:
        told = made_by(command, running, RICH)
    assert "error" in told
    assert len(repeated) > 1


def test_a_crew_does_its_task_again_whatever_failed(running: Stopped) -> None:
    """An agent of crewai begins its task anew after any error at all, so no answer of ours could end it.

    It is asked for by `max_retry_limit` (2 unless set; 0 above), and each time costs nothing: nothing is sent on.
    """
    command = installed(_python("crewai", "crew"))
    if command is None:
        return
    sent = running.provider.seen.total
    with running.counted() as asked:
        assert "budget" in made_by(command, running, POOR)["said"]
    assert len(asked) == 3
    assert running.provider.seen.total == sent
