"""What calls start with is replaced whole: nothing of an older state outlives it."""

from dataclasses import replace
from pathlib import Path

from proxy.config import load_config
from tests.harness.one_worker import JSON_HEADERS, KEY, Answer, Client, chat, config, one_worker


async def test_what_a_key_is_told_anew_stands_in_its_next_row(tmp_path: Path) -> None:
    """The beginnings of rows were once kept when keys were read anew: a key's cost center never changed."""
    answer = b'{"usage":{"prompt_tokens":1,"completion_tokens":1}}'
    with one_worker(tmp_path) as house:
        await house.call(Client(chat()), Answer(answer, headers=JSON_HEADERS))
        path = tmp_path / "flyball.yaml"
        path.write_text(config().replace("org: acme,", 'org: acme, cost_center: "4711",'))
        given = {"BOT_KEY": KEY, "FLYBALL_HOME": str(tmp_path / "state")}
        house.stores.follow_file(replace(load_config(path, given), home=tmp_path / "state"), given)
        house.parts.configured.reload_state()
        await house.call(Client(chat()), Answer(answer, headers=JSON_HEADERS))
        assert [row.get("cost_center", "") for row in house.rows()] == ["", "4711"]
        await house.parts.ledger.close()


async def test_what_is_observed_is_read_anew_with_file_and_state(tmp_path: Path) -> None:
    with one_worker(tmp_path) as house:
        configured, keys = house.parts.configured, house.stores.keys
        assert not configured.snapshot.budgets.observes("beta")
        keys.put_org("beta", cost_center="", enforcement="observe")
        configured.reload_state()
        assert configured.snapshot.budgets.observes("beta") and not configured.snapshot.budgets.observes("acme")
        path = tmp_path / "flyball.yaml"
        path.write_text(config() + "\nenforcement: observe\n")
        configured.reload_file(load_config(path, {"BOT_KEY": KEY, "FLYBALL_HOME": str(tmp_path / "state")}))
        assert configured.snapshot.budgets.observes("acme")
        await house.parts.ledger.close()
