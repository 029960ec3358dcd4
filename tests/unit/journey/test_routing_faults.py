"""The table of docs/routing-faults.md, line by line: what each fault of a target means, over real sockets."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from proxy.routing import Health, HealthSettings
from proxy.wire.endpoint import Endpoint
from tests.harness.one_worker import Client, chat
from tests.unit.journey.faulty_targets import FAULTS, Targets, events, said, three_targets

PAGE: Final = Path(__file__).parents[3] / "docs" / "routing-faults.md"
HEAD: Final = "| the first target | call | targets |"
INPUT_NANO, OUTPUT_NANO = 10_000, 100_000
TOLD: Final = 7 * INPUT_NANO + 2 * OUTPUT_NANO
ASKED_OUTPUT: Final = 50
pytestmark = pytest.mark.asyncio(loop_scope="module")


def lines() -> list[list[str]]:
    """The table's lines, cell by cell."""
    table = PAGE.read_text().partition(HEAD)[2].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table if line.startswith("|")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def targets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Targets]:
    async with three_targets(tmp_path_factory.mktemp("house")) as made:
        yield made


async def test_the_table_has_every_fault() -> None:
    played = {(name, call, count) for name in FAULTS for call in ("stream", "whole") for count in ("1", "3")}
    assert {(line[0], line[1], line[2]) for line in lines()} == played


@pytest.mark.parametrize("line", lines(), ids=lambda line: "-".join(line[:3]))
async def test_a_line_of_the_table(targets: Targets, line: list[str]) -> None:
    name, call, count, gets, asked, operation, attempts, billed = line
    fault = FAULTS[name]
    play = fault.plays[call]
    targets.servers["a"].script = play
    rooms = targets.house.rooms
    rooms.health = Health(HealthSettings(), rooms.clock)  # nothing is known of the targets yet
    spent, _ = await targets.house.standing()
    client = await targets.call(Client(chat(stream=call == "stream", model=f"{fault.provider}-{count}")))
    assert given(client, play.body) == gets
    assert " ".join(map(str, targets.asked())) == asked
    row = targets.house.rows()[-1]
    made = [each for each in targets.house.rows("attempts") if each["operation_id"] == row["operation_id"]]
    assert ended(row) == operation
    assert ", ".join(map(ended, made)) == attempts
    assert [each.get("number", 1) for each in made] == list(range(1, len(made) + 1))
    owed = await bill(targets, billed)
    assert [nano(row["cost_usd"]), sum(nano(each["cost_usd"]) for each in made)] == [owed, owed]
    assert await targets.house.standing() == (spent + owed, 0)
    assert "overrun_usd" not in row
    if len(made) > 1:
        why = made[0]["error"].removesuffix(" (not sent)")
        assert row["reason"] == f"fell back from {fault.provider} ({why}) to b"
        assert client.answered[b"x-flyball-reason"].decode() == row["reason"]
        assert (row["provider"], row["model"], row["requested_model"]) == ("b", "m", f"{fault.provider}-{count}")
        assert client.answered[b"x-flyball-model"] == b"m"


def given(client: Client, sent: bytes) -> str:
    """What the client got, in the table's words; whatever is none of them byte for byte is told as it is."""
    text, status = client.text, client.status
    for who in ("a", "b", "c"):
        if status == 200 and text in (said(who), b"".join(events(who))):
            return f"{who}'s answer"
    if text == sent:
        return f"{status}, as it came"
    if status == 200:
        came, _, last = text.rpartition(b"data: ")
        is_cut = sent.startswith(came) and json.loads(last)["error"]["code"] == "upstream_truncated"
        return "what came, then `upstream_truncated`" if is_cut else text.decode()
    return f"{status} `{json.loads(text)['error']['code']}`"


def ended(row: dict[str, Any]) -> str:
    """Outcome and error of a row."""
    return f"{row['outcome']} `{row['error']}`" if row.get("error") else str(row["outcome"])


async def bill(targets: Targets, words: str) -> int:
    """What the table's words mean, in nano-dollars: counted by the counter that bills what nobody has told."""
    counter = targets.house.rooms.counter
    body = chat(stream=True, model="a-1")
    counted = await counter.count_input("m", Endpoint.CHAT, body)
    prompt = counted.tokens * INPUT_NANO
    worth = {
        "nothing": 0,
        "as told": TOLD,
        "a's hold": prompt + ASKED_OUTPUT * OUTPUT_NANO,
        "a's prompt": prompt,
        "a's prompt and output": prompt + await counter.count_output("m", ["I am "], 5) * OUTPUT_NANO,
    }
    return sum(worth[each] for each in words.split(" + "))


def nano(dollars: str) -> int:
    """Dollars with nine digits as whole nano-dollars."""
    return int(dollars.replace(".", ""))
