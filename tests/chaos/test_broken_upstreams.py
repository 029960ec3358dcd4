"""Upstreams that break off after every k-th byte of what they really say, or say nothing at all."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.chaos.breaking import Break, BreakingUpstream, How, as_stream, as_whole
from tests.chaos.raw_client import Answer, RawClient
from tests.chaos.scene import balanced_books, config, started
from tests.harness.recordings import Recording, recordings, told_when_absent

CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
MODEL: Final = "gpt-4o-mini"
AT_ONCE: Final = 48
# Steps between the breaks: every byte of the shortest, less often in longer ones, so that all take some seconds.
STEPS: Final = {"chat": 1, "responses": 7, "unary": 1}


def smallest(path: str, *, is_stream: bool) -> Recording | None:
    served = [each for each in recordings() if each.provider == "openai" and each.status == 200]
    fitting = [each for each in served if "/v1" + each.path == path and each.is_stream == is_stream]
    return min(fitting, key=lambda each: len(each.body), default=None)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """One call and where its answer breaks: after `at` bytes of `wire`, `how`."""

    name: str
    path: str
    body: bytes
    wire: bytes
    recorded: bytes
    at: int
    how: How

    @property
    def answered(self) -> bool:
        """Whether the provider's head was whole, so that there was an answer."""
        return self.wire.find(b"\r\n\r\n") + 4 <= self.at


def cuts(kind: str, recording: Recording) -> Iterator[Cut]:
    stream = kind != "unary"
    wire = as_stream(recording.body) if stream else as_whole(recording.body)
    for how in ("reset", "close"):
        # A close is a reset but for its last packet: told apart at fewer places.
        step = STEPS[kind] if how == "reset" else 23
        for at in range(0, len(wire) + 1, step):
            name = f"{kind}-{how}-{at}"
            body = {"model": MODEL, "stream": stream, "metadata": {"session_id": name}}
            body |= {"messages": [{"role": "user", "content": "Hi"}]} if kind != "responses" else {"input": "Hi"}
            yield Cut(
                name=name,
                path=RESPONSES if kind == "responses" else CHAT,
                body=json.dumps(body).encode(),
                wire=wire,
                recorded=recording.body,
                at=at,
                how=how,
            )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the client got of a cut answer, and the row."""

    cut: Cut
    answer: Answer
    row: Mapping[str, Any]


async def call_all(client: RawClient, wanted: list[Cut]) -> list[Answer]:
    places = asyncio.Semaphore(AT_ONCE)

    async def call(cut: Cut) -> Answer:
        async with places:
            return await client.call(cut.body, path=cut.path, idempotency_key=cut.name)

    return await asyncio.gather(*(call(cut) for cut in wanted))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    """Every cut of every kind through one Flyball; none when there are no recordings."""
    chosen = {
        "chat": smallest(CHAT, is_stream=True),
        "responses": smallest(RESPONSES, is_stream=True),
        "unary": smallest(CHAT, is_stream=False),
    }
    wanted = [cut for kind, recording in chosen.items() if recording is not None for cut in cuts(kind, recording)]
    told_when_absent(len(wanted))
    if not wanted:
        return {kind: [] for kind in chosen}
    with BreakingUpstream() as upstream:
        upstream.breaks = {cut.name: Break(wire=cut.wire[: cut.at], how=cut.how) for cut in wanted}
        providers = {"openai": {"base_url": upstream.url + "/v1", "profile": "openai"}}
        text = config(providers, {MODEL: ("openai", MODEL)}, workers=2)
        with started(tmp_path_factory.mktemp("broken"), text) as flyball:
            client = RawClient(url=flyball.data)
            answers = asyncio.run(call_all(client, wanted))
            rows = balanced_books(flyball, len(wanted))
    assert upstream.asked == {cut.name: 1 for cut in wanted}
    told = [Outcome(cut=cut, answer=got, row=rows[cut.name]) for cut, got in zip(wanted, answers, strict=True)]
    return {kind: [each for each in told if each.cut.name.startswith(kind)] for kind in chosen}


def events_of(body: bytes) -> list[bytes]:
    """The data of whole events; an assertion error when something is left over."""
    assert body == b"" or body.endswith(b"\n\n"), body[-80:]
    return [event for event in body.split(b"\n\n") if event]


def data_of(event: bytes) -> bytes:
    return b"".join(line[6:] for line in event.split(b"\n") if line.startswith(b"data: "))


def check_stream(outcome: Outcome, last: bytes) -> None:
    """Whole events as recorded, and then either the recorded end or our error: never anything made up."""
    cut, answer, row = outcome.cut, outcome.answer, outcome.row
    assert answer.status == 200, (cut.name, answer.raw[:200])
    assert answer.is_whole, (cut.name, answer.raw[-200:])
    recorded = events_of(cut.recorded)
    if row["outcome"] == "ok":
        # All was said, though the last event's blank line may be missing, as it is missing in what came.
        assert answer.body.rstrip(b"\n") == cut.recorded.rstrip(b"\n"), cut.name
        assert row["usage_source"] == ("provider" if b'"usage":{' in cut.recorded else "estimated")
        return
    assert row["outcome"] == "truncated", (cut.name, row)
    *passed, error = events_of(answer.body)
    assert passed == recorded[: len(passed)], cut.name
    assert last not in passed[-1:], cut.name
    told = json.loads(data_of(error))["error"]
    assert told["code"] == "upstream_truncated", cut.name
    assert told["flyball"]["operation"] == answer.headers["x-flyball-operation"]
    assert b"finish_reason" not in error
    # Nothing that had come whole was kept back.
    came = cut.wire[: cut.at].partition(b"\r\n\r\n")[2]
    assert len(passed) == sum(1 for event in recorded if event + b"\n\n" in came), cut.name


def check_refused(outcome: Outcome, codes: set[str]) -> None:
    """An error in OpenAI's shape, under an honest status; billed at the hold, since the provider had the request."""
    answer, row = outcome.answer, outcome.row
    assert answer.status == 502, (outcome.cut.name, answer.raw[:200])
    assert answer.is_whole
    error = json.loads(answer.body)["error"]
    assert error["code"] in codes, (outcome.cut.name, error)
    assert error["type"] == "upstream_error"
    assert row["code"] == error["code"]
    assert row["usage_source"] == "estimated"
    assert float(row["cost_usd"]) > 0


@pytest.mark.parametrize("kind", ["chat", "responses"])
def test_a_stream_cut_anywhere_ends_truthfully(outcomes: dict[str, list[Outcome]], kind: str) -> None:
    """R9.2, R2.4."""
    seen = set()
    for outcome in outcomes[kind]:
        if not outcome.cut.answered:
            check_refused(outcome, {"upstream_error"})
            assert outcome.row["outcome"] == "upstream_error"
        else:
            check_stream(outcome, events_of(outcome.cut.recorded)[-1])
        seen.add(outcome.row["outcome"])
    assert not outcomes[kind] or seen == {"ok", "truncated", "upstream_error"}


def test_a_whole_answer_cut_anywhere_is_an_error(outcomes: dict[str, list[Outcome]]) -> None:
    seen = set()
    for outcome in outcomes["unary"]:
        if outcome.cut.at == len(outcome.cut.wire):
            assert outcome.answer.status == 200
            assert outcome.answer.body == outcome.cut.recorded
            assert (outcome.row["outcome"], outcome.row["usage_source"]) == ("ok", "provider")
        elif outcome.cut.answered:
            check_refused(outcome, {"upstream_truncated"})
            assert outcome.row["outcome"] == "truncated"
        else:
            check_refused(outcome, {"upstream_error"})
            assert outcome.row["outcome"] == "upstream_error"
        seen.add(outcome.row["outcome"])
    assert not outcomes["unary"] or seen == {"ok", "truncated", "upstream_error"}
