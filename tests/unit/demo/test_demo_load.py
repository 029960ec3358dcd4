"""The demo's clients, against a provider that does as it is told."""

import http.server
import json
import threading
from collections.abc import Iterator

import pytest

from proxy.cli.demo.load import Load, body_of, headers_of
from proxy.cli.demo.plan import PlannedCall
from proxy.cli.demo.spending import Spending
from proxy.cli.demo.tally import Ending, Tally, TenantTally, quantile
from proxy.cli.demo.tenants import KEYS, ORGS
from proxy.core.money import Nano
from proxy.sim import Faults, SimProvider, SimServer, SimSettings

SECRETS = {key.full_name: f"secret-of-{key.full_name}" for key in KEYS}


def a_call(**more: object) -> PlannedCall:
    """A streamed chat of acme's bot, changed as asked."""
    facts: dict[str, object] = {
        "at_s": 0.0,
        "key": KEYS[0],
        "agent": "triage",
        "run": "r",
        "user": "u",
        "model": "sim-small",
        "endpoint": "chat/completions",
        "prompt_tokens": 30,
        "output_tokens": 12,
        "streamed": True,
    }
    return PlannedCall(**{**facts, **more})  # type: ignore[arg-type]


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A sim that does not wait."""
    with SimServer(SimProvider(settings=SimSettings(speed=0))) as server:
        yield server


@pytest.fixture
def tally() -> Tally:
    """An empty one."""
    return Tally(planned=3, tenants={org: TenantTally() for org in ORGS})


async def test_every_planned_call_ends_and_is_counted(sim: SimServer, tally: Tally) -> None:
    calls = [
        a_call(),
        a_call(streamed=False, endpoint="responses"),
        a_call(endpoint="embeddings", model="sim-embed", streamed=False),
        a_call(trouble="529"),
        a_call(hangs_up=True, output_tokens=4000, trouble="stall=2000"),
    ]
    await Load(sim.url, SECRETS, tally).run(calls)
    acme = tally.tenants["acme"]
    assert (acme.endings[Ending.OK], acme.endings[Ending.FAILED]) == (3, 1)
    assert acme.endings[Ending.HUNG_UP] == 1
    assert (tally.ended, tally.open) == (5, 0)
    assert len(acme.first_tokens_ms) == 2
    assert not tally.surprises


async def test_a_refusal_is_no_failure_and_anything_else_unplanned_is_a_surprise(sim: SimServer, tally: Tally) -> None:
    sim.provider.script.add(Faults(status=402), Faults(status=500), Faults(cut_at=10))
    for _ in range(3):
        await Load(sim.url, SECRETS, tally).run([a_call()])
    assert tally.count(Ending.REFUSED) == 1
    assert tally.count(Ending.FAILED) == 2
    assert tally.surprises[0].startswith("500")
    assert len(tally.surprises) == 2


def test_the_body_asks_for_the_planned_length_and_trouble() -> None:
    body = body_of(a_call(trouble="cut=9"), 1)
    assert body["metadata"] == {"sim_output_tokens": "12", "sim_fault": "cut=9"}
    assert len(body["messages"][0]["content"].split()) == 30
    assert body["stream_options"] == {"include_usage": True}
    assert "stream_options" not in body_of(a_call(), 2)
    assert body_of(a_call(endpoint="responses"), 1)["store"] is False


def test_headers_name_the_caller() -> None:
    headers = headers_of(a_call(), "s3cret")
    assert headers["authorization"] == "Bearer s3cret"
    assert (headers["x-flyball-agent"], headers["x-flyball-run"], headers["x-flyball-user"]) == ("triage", "r", "u")


class _Admin(http.server.BaseHTTPRequestHandler):
    """Answers /admin/v1/budgets to whoever brings the token."""

    def do_GET(self) -> None:
        status = 200 if self.headers["authorization"] == "Bearer t0ken" else 401
        budget = {"scope": "org:initech", "limit_usd": "2.00", "spent_usd": "0.50", "held_usd": "0.000000001"}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps({"data": [budget, {"scope": "team:acme/x"}]}).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        return


async def test_balances_are_what_the_admin_api_says(tally: Tally) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Admin)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    wrong, right = Spending(url, "wrong", tally), Spending(url, "t0ken", tally)
    await wrong.ask()
    assert tally.spent == 0
    await right.ask()
    balance = tally.tenants["initech"].balance
    assert (balance.limit, balance.spent, balance.held) == (Nano(2_000_000_000), Nano(500_000_000), Nano(1))
    server.shutdown()
    server.server_close()
    await right.ask()
    assert tally.spent == 500_000_000
    await wrong.close()
    await right.close()


def test_quantiles_of_few_values() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0], 0.95) == 3.0
    assert quantile([4.0, 1.0, 3.0, 2.0], 0.5) == 3.0
