"""Alerts on their way to receivers on real sockets: signed, once, again when not taken, and never elsewhere."""

import asyncio
import base64
import contextlib
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from proxy.app.alert_post import AlertPost
from proxy.budget import (
    Alerting,
    AlertSettings,
    BudgetSpec,
    BudgetStore,
    NotPosted,
    Outbox,
    Receiver,
    ReceiverEntry,
    Rung,
    Sender,
    Watcher,
    receiver_of,
)
from proxy.core.clock import SystemClock
from proxy.core.money import Nano
from proxy.core.secret import Secret
from proxy.state import StateFile
from tests.harness.alert_receiver import SECRET, AlertReceiver

QUICK = AlertSettings(look_every_s=0.05, timeout_s=2, first_retry_s=0.1)


def receiver(url: str, name: str = "ops", **more: object) -> Receiver:
    entry = {"secret": Secret(SECRET), **more}
    return receiver_of(ReceiverEntry(name=name, url=url, **entry), {})  # type: ignore[arg-type]


class Scene:
    """Alerts as the admin process has them."""

    def __init__(self, folder: Path) -> None:
        self.state = StateFile(folder / "state.sqlite")
        self.store = BudgetStore(self.state)
        self.outbox = Outbox(self.state)
        self.post = AlertPost()
        self.start()

    def start(self) -> None:
        clock = SystemClock()
        watcher = Watcher(self.store, self.state, self.outbox, clock)
        self.alerting = Alerting(watcher, Sender(self.outbox, self.post, clock), self.outbox, clock)

    def cross(self, name: str = "b", spent: int = 85) -> None:
        """Let a budget of that name stand beyond its rung."""
        budget = self.store.put(
            BudgetSpec(name=name, scope="org:acme", limit=Nano(100), ladder=(Rung(800_000, "alert"),))
        )
        window = budget.window_at(SystemClock().now_ns()).name
        with self.state.change() as connection:
            connection.execute(
                "INSERT INTO counters (budget, window, spent) VALUES (?, ?, ?)", (budget.id, window, spent)
            )

    @contextlib.asynccontextmanager
    async def running(self, *receivers: Receiver, settings: AlertSettings = QUICK) -> AsyncIterator[None]:
        self.alerting.use(settings, receivers)
        task = asyncio.get_running_loop().create_task(self.alerting.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.post.close()

    async def until(self, *states: str, within_s: float = 10) -> None:
        """Wait until the alerts kept have those states, newest first."""
        deadline = time.monotonic() + within_s
        while (found := [each.state for each in self.outbox.newest(limit=9)]) != list(states):
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.02)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_an_alert_arrives_signed_and_says_the_numbers(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver() as ops:
        async with scene.running(receiver(f"{ops.url}hook?team=a")):
            await scene.until("sent")
            await asyncio.sleep(0.3)
    (told,) = ops.told
    assert told.path == "/hook?team=a"
    assert told.is_signed_by(SECRET)
    assert not told.is_signed_by("whsec_" + base64.b64encode(bytes(24)).decode())
    assert told.headers["content-type"] == "application/json"
    assert told.said["type"] == "budget.alert"
    assert abs(datetime.fromisoformat(told.said["timestamp"]).timestamp() - time.time()) < 60
    data = told.said["data"]
    assert data["id"] == told.id
    assert (data["budget"], data["org"], data["scope"], data["fraction"]) == ("b", "acme", "org:acme", "0.8")
    assert (data["limit_usd"], data["spent_usd"], data["held_usd"]) == ("0.0000001", "0.000000085", "0.00")
    assert data["window"] == datetime.now(UTC).strftime("%Y-%m")


async def test_the_example_of_the_documentation_knows_what_is_genuine(scene: Scene) -> None:
    page = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/alerts.md", "exec"), names)
    is_genuine = names["is_genuine"]
    scene.cross()
    other = "whsec_" + base64.b64encode(b"another key of 24+ bytes..").decode()
    with AlertReceiver() as ops:
        async with scene.running(receiver(ops.url, secret=Secret(f"{other} {SECRET}"))):
            await scene.until("sent")
    (told,) = ops.told
    assert is_genuine(SECRET, told.headers, told.body)
    assert is_genuine(other, told.headers, told.body)
    assert not is_genuine("whsec_" + base64.b64encode(bytes(24)).decode(), told.headers, told.body)
    assert not is_genuine(SECRET, told.headers, told.body + b" ")
    old = {**told.headers, "webhook-timestamp": str(int(told.headers["webhook-timestamp"]) - 600)}
    assert not is_genuine(SECRET, old, told.body)


async def test_two_secrets_sign_both_and_none_signs_nothing(scene: Scene) -> None:
    scene.cross()
    other = "whsec_" + base64.b64encode(b"another key of 24+ bytes..").decode()
    with AlertReceiver() as both, AlertReceiver() as none:
        two = receiver(both.url, "both", secret=Secret(f"{SECRET} {other}"))
        async with scene.running(two, receiver(none.url, "none", secret=None)):
            await scene.until("sent")
    assert both.told[0].is_signed_by(SECRET)
    assert both.told[0].is_signed_by(other)
    assert "webhook-signature" not in none.told[0].headers


async def test_what_was_not_taken_is_sent_again_with_its_id_until_it_is(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver(lambda number: 503 if number < 3 else 200) as ops:
        async with scene.running(receiver(ops.url)):
            await scene.until("sent")
            await asyncio.sleep(0.5)
    assert len(ops.told) == 4
    assert len({each.id for each in ops.told}) == 1
    assert all(each.is_signed_by(SECRET) for each in ops.told)
    (kept,) = scene.outbox.newest(limit=9)
    assert (kept.deliveries[0].attempts, kept.deliveries[0].status, kept.deliveries[0].error) == (4, 200, "")


async def test_one_that_is_not_there_is_told_when_it_is(scene: Scene) -> None:
    scene.cross()
    late = AlertReceiver()
    async with scene.running(receiver(f"http://127.0.0.1:{late.port}/"), settings=QUICK):
        # It listens and does not answer: the server's thread does not run yet.
        await asyncio.sleep(0.3)
        with late:
            await scene.until("sent")
    assert len({each.id for each in late.told}) == 1


async def test_one_that_fails_for_ever_is_given_up_and_counted(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.cross()
    with AlertReceiver(lambda _: 500) as ops:
        settings = AlertSettings(look_every_s=0.05, timeout_s=2, first_retry_s=0.2, retry_for_s=1)
        async with scene.running(receiver(f"{ops.url}very-secret"), settings=settings):
            await scene.until("failed")
            tried = len(ops.told)
            await asyncio.sleep(0.5)
            metrics = scene.alerting.metrics()
    assert len(ops.told) == tried > 1
    (kept,) = scene.outbox.newest(limit=9)
    assert kept.deliveries[0].error == "answered 500: thing"
    assert 'flyball_alert_deliveries_total{receiver="ops",result="failed"} 1' in metrics
    assert f'flyball_alert_deliveries_total{{receiver="ops",result="retried"}} {tried - 1}' in metrics
    assert any("given up" in each.message for each in caplog.records)
    assert "very-secret" not in caplog.text
    assert SECRET not in caplog.text


async def test_one_that_is_gone_for_good_is_asked_once(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver(lambda _: 410) as ops:
        async with scene.running(receiver(ops.url)):
            await scene.until("failed")
    assert len(ops.told) == 1


async def test_a_slow_receiver_delays_no_other(scene: Scene) -> None:
    for name in ("a", "b", "c"):
        scene.cross(name)
    with AlertReceiver(slow_s=5) as slow, AlertReceiver() as quick:
        patient = AlertSettings(look_every_s=0.05, timeout_s=10)
        async with scene.running(receiver(slow.url, "slow"), receiver(quick.url, "quick"), settings=patient):
            (first,) = await asyncio.to_thread(slow.wait_for, 1, 20)
            *_, last = await asyncio.to_thread(quick.wait_for, 3, 20)
    assert last.at - first.at < 5
    assert len(slow.told) == 1


async def test_one_that_takes_too_long_is_asked_again(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver(slow_s=1.0) as slow:
        settings = AlertSettings(look_every_s=0.05, timeout_s=0.2, first_retry_s=0.1)
        async with scene.running(receiver(slow.url), settings=settings):
            await asyncio.to_thread(slow.wait_for, 2, 10)
            (kept,) = scene.outbox.newest(limit=9)
    assert kept.deliveries[0].error == "no answer within 0.2 s"


async def test_a_redirect_is_not_followed(scene: Scene) -> None:
    with AlertReceiver(lambda _: 307) as ops:
        try:
            _, answered = await scene.alerting.test(receiver(ops.url))
        finally:
            await scene.post.close()
    assert answered.status == 307
    assert [each.path for each in ops.told] == ["/"]


async def test_a_name_that_leads_into_private_space_is_refused_unless_that_is_allowed(scene: Scene) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    scene.post = AlertPost(look_up)
    scene.start()
    with AlertReceiver() as ops:
        named = f"http://ops.example:{ops.port}/very-secret"
        try:
            with pytest.raises(NotPosted, match=r"cannot be reached: .*not a public address") as refused:
                await scene.alerting.test(receiver(named))
            assert "very-secret" not in str(refused.value)
            for allowed in (receiver(named, allow_private=True), receiver(f"http://localhost:{ops.port}/")):
                _, answered = await scene.alerting.test(allowed)
                assert answered.status == 204
        finally:
            await scene.post.close()


async def test_slack_gets_a_message_that_people_read(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver() as slack:
        async with scene.running(receiver(slack.url, kind="slack", secret=None)):
            await scene.until("sent")
    said = slack.told[0].said
    assert said["text"].startswith("The budget b of org:acme has reached 80 % of 0.0000001 USD: 0.000000085 USD spent")
    assert [block["type"] for block in said["blocks"]] == ["section", "section", "context"]
    assert said["text"] in said["blocks"][0]["text"]["text"]


async def test_what_an_earlier_process_left_is_sent_and_nothing_twice(scene: Scene) -> None:
    scene.cross()
    with AlertReceiver() as ops:
        away = receiver("http://127.0.0.1:9/")
        async with scene.running(away):
            await scene.until("pending")
        scene.start()
        async with scene.running(receiver(ops.url)):
            await scene.until("sent")
        scene.start()
        async with scene.running(receiver(ops.url)):
            await asyncio.sleep(0.4)
    assert len(ops.told) == 1
