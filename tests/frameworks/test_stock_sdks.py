"""The openai and anthropic packages make one HTTP request on a budget stop, whatever they are told of retrying."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import anthropic
import openai
import pytest

from tests.frameworks.environments import CannotInstall, python_of, told_when_absent
from tests.frameworks.stopped import CLAUDE, MODEL, POOR, RICH, Stopped, made_by, stopped

HELLO: Final[list[Any]] = [{"role": "user", "content": "Say hello."}]
CHAT: Final = "POST /v1/chat/completions"
MESSAGES: Final = "POST /v1/messages"
CALLER: Final = Path(__file__).parent / "callers" / "call_anthropic.py"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    with stopped(tmp_path_factory.mktemp("stock-sdks")) as running:
        yield running


def openai_of(running: Stopped, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=running.relay.url + "/v1", api_key=key, max_retries=3)


def anthropic_of(running: Stopped, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=running.relay.url, api_key=key, max_retries=3)


def told(error: openai.APIStatusError | anthropic.APIStatusError) -> tuple[int, str | None, str | None]:
    headers = error.response.headers
    return error.status_code, headers.get("x-should-retry"), headers.get("retry-after")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("call", ["chat", "completions", "responses"])
def test_openai_asks_once(running: Stopped, call: str, streamed: bool) -> None:
    with openai_of(running, POOR) as client, running.counted() as asked:
        calls: dict[str, Any] = {
            "chat": lambda: client.chat.completions.create(model=MODEL, messages=HELLO, stream=streamed),
            "completions": lambda: client.completions.create(model=MODEL, prompt="Hello", stream=streamed),
            "responses": lambda: client.responses.create(model=MODEL, input="Hello", stream=streamed),
        }
        with pytest.raises(openai.APIStatusError) as raised:
            calls[call]()
    assert len(asked) == 1
    assert told(raised.value) == (402, "false", None)
    assert (raised.value.code, raised.value.type) == ("budget_exceeded", "insufficient_quota")


async def test_the_asynchronous_openai_asks_once(running: Stopped) -> None:
    client = openai.AsyncOpenAI(base_url=running.relay.url + "/v1", api_key=POOR, max_retries=3)
    with running.counted() as asked:
        with pytest.raises(openai.APIStatusError) as raised:
            await client.chat.completions.create(model=MODEL, messages=HELLO)
        await client.close()
    assert (asked, raised.value.status_code) == ([CHAT], 402)


@pytest.mark.parametrize("streamed", [False, True])
def test_anthropic_asks_once(running: Stopped, streamed: bool) -> None:
    raised = pytest.raises(anthropic.PaymentRequiredError)
    with anthropic_of(running, POOR) as client, running.counted() as asked, raised as error:
        client.messages.create(model=CLAUDE, messages=HELLO, max_tokens=20, stream=streamed)
    assert asked == [MESSAGES]
    assert told(error.value) == (402, "false", None)


@pytest.mark.long
@pytest.mark.parametrize("streamed", ["", "streamed"])
def test_the_older_anthropic_asks_once(running: Stopped, streamed: str) -> None:
    """0.x, which sends `x-api-key` and an older version, in an environment of its own."""
    try:
        python = python_of("anthropic-0x")
    except CannotInstall as why:
        told_when_absent(why)
        return
    with running.counted() as asked:
        said = made_by([str(python), str(CALLER), streamed], running, POOR)
    assert asked == [MESSAGES]
    assert said == {"status": 402, "type": "billing_error", "code": "budget_exceeded", "version": "0"}


@pytest.mark.parametrize("package", ["openai", "anthropic"])
def test_both_would_try_again_what_may_pass(running: Stopped, package: str) -> None:
    """So the one request above is our answer's doing; and what one asks for more often is counted more often."""
    with running.overloaded(), running.counted() as asked:
        if package == "openai":
            with openai_of(running, RICH) as client, pytest.raises(openai.InternalServerError):
                client.with_options(max_retries=1).chat.completions.create(model=MODEL, messages=HELLO)
        else:
            body = {"model": MODEL, "messages": HELLO}
            with anthropic_of(running, RICH) as given, pytest.raises(anthropic.InternalServerError):
                given.with_options(max_retries=1).post("/v1/chat/completions", body=body, cast_to=object)
    assert asked == [CHAT, CHAT]
