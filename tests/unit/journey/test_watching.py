"""What a target's health learns of the calls that go to it, whatever becomes of them."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from proxy.routing import Candidate, Look
from proxy.upstream import UpstreamFailed
from tests.harness.one_worker import DONE, EVENT, JSON_HEADERS, Answer, Client, OneWorker, chat, config, one_worker

TARGET = Candidate("up", "m")
OK = json.dumps(
    {
        "model": "m",
        "choices": [{"message": {"content": "Hi"}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
SOON = "health: {min_calls: 2}"
LIMITS = [
    (b"x-ratelimit-limit-requests", b"100"),
    (b"x-ratelimit-remaining-requests", b"5"),
    (b"x-ratelimit-reset-requests", b"30s"),
]


def said(status: int, *more: tuple[bytes, bytes], body: bytes = b"{}") -> Answer:
    return Answer(body, status=status, headers=[*JSON_HEADERS, *more])


async def after(folder: Path, *answers: Answer | UpstreamFailed, stream: bool = False) -> Look:
    """What is thought of the target after these answers."""
    with one_worker(folder, config(more=SOON)) as house:
        try:
            for answer in answers:
                await house.call(Client(chat(stream=stream)), answer)
            return house.rooms.health.look(TARGET)
        finally:
            await house.parts.ledger.close()


@pytest.mark.parametrize("status", [500, 502, 529, 408, 401])
async def test_errors_of_the_providers_open_its_breaker(tmp_path: Path, status: int) -> None:
    look = await after(tmp_path, said(status), said(status))
    assert not look.ready
    assert look.busy == 0


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"{}"),
        (404, b"{}"),
        (422, b"{}"),
        (400, b'{"error": {"code": "context_length_exceeded"}}'),
        (500, b'{"error": {"message": "prompt is too long: 9 tokens"}}'),
        (500, b'{"error": {"code": "content_filter"}}'),
    ],
)
async def test_mistakes_of_callers_never_do(tmp_path: Path, status: int, body: bytes) -> None:
    look = await after(tmp_path, *[said(status, body=body) for _ in range(9)])
    assert look.ready
    assert look.busy == 0


async def test_a_429_says_how_long_to_leave_it_alone(tmp_path: Path) -> None:
    look = await after(tmp_path, said(429, (b"retry-after", b"20")))
    assert 18 < look.wait_s <= 20


@pytest.mark.parametrize("form", ["date", "milliseconds"])
async def test_a_429_may_say_it_in_other_forms(tmp_path: Path, form: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True).encode()
    header = (b"retry-after", date) if form == "date" else (b"retry-after-ms", b"20000")
    assert 17 < (await after(tmp_path, said(429, header))).wait_s <= 20


async def test_a_429_whose_limits_are_used_up_says_it_by_them(tmp_path: Path) -> None:
    used_up = [(LIMITS[1][0], b"0") if pair is LIMITS[1] else pair for pair in LIMITS]
    look = await after(tmp_path, said(429, *used_up))
    assert 28 < look.wait_s <= 30


async def test_an_overloaded_provider_that_says_how_long_is_left_alone_so_long(tmp_path: Path) -> None:
    assert (await after(tmp_path, said(503, (b"retry-after", b"20")))).wait_s > 18


async def test_answers_tell_how_much_is_left(tmp_path: Path) -> None:
    look = await after(tmp_path, said(200, *LIMITS, body=OK))
    assert look.ready
    assert look.headroom == 0.05


async def test_no_connection_is_held_against_the_provider(tmp_path: Path) -> None:
    down = [UpstreamFailed("refused", "no one there", sent=False) for _ in range(2)]
    assert "provider" in (await after(tmp_path, *down)).why


async def test_streams_that_break_off_count_and_those_we_end_do_not(tmp_path: Path) -> None:
    broken = [Answer(EVENT, UpstreamFailed("reset", "gone", sent=True)) for _ in range(2)]
    assert not (await after(tmp_path, *broken, stream=True)).ready


async def test_streams_tell_their_first_token(tmp_path: Path) -> None:
    look = await after(tmp_path, Answer(EVENT, DONE), stream=True)
    assert look.ready
    assert look.ttft_ms is not None
    assert look.busy == 0


async def test_a_client_that_leaves_says_nothing_of_the_target(tmp_path: Path) -> None:
    async def leave(house: OneWorker) -> None:
        client = Client(chat(stream=True))

        async def hang_up() -> None:
            client.hang_up()
            await asyncio.sleep(5)

        await house.call(client, Answer(EVENT, hang_up))

    with one_worker(tmp_path, config(more=SOON)) as house:
        for _ in range(3):
            await leave(house)
        look = house.rooms.health.look(TARGET)
        await house.parts.ledger.close()
    assert look.ready
    assert look.busy == 0


async def test_the_first_output_of_a_probe_lets_its_target_back(tmp_path: Path) -> None:
    with one_worker(tmp_path, config(more="health: {min_calls: 1, pause_s: 0.05, max_pause_s: 0.05}")) as house:
        await house.call(Client(chat()), said(500))
        assert not house.rooms.health.look(TARGET).ready
        await asyncio.sleep(0.06)
        assert house.rooms.health.look(TARGET).ready
        seen: list[str] = []

        async def look() -> None:
            seen.extend({house.rooms.health.look(TARGET).why for _ in range(200)} - {""})

        await house.call(Client(chat(stream=True)), Answer(EVENT, look, DONE))
        await house.parts.ledger.close()
    assert set(seen) == {"it is coming back"}
