"""Every wait ends: by its limit, by an abort, or because the reader is slow and the provider is made to wait."""

import array
import asyncio
import fcntl
import gc
import termios
import time
import weakref

import pytest

from proxy.upstream import UpstreamFailed, UpstreamResponse
from tests.contract.upstream.conftest import Call, pieces
from tests.contract.upstream.scripted import CHUNKED_HEAD, Conversation, ScriptedUpstream, always, answer, chunked

pytestmark = pytest.mark.alone

MAX_BUFFER = 256 * 1024


async def silent(conversation: Conversation) -> None:
    """Takes a request and says nothing."""
    await conversation.request()
    await conversation.gone()


async def one_event_then_silence(conversation: Conversation) -> None:
    """Begins a stream and stops."""
    await conversation.request()
    await conversation.send(CHUNKED_HEAD + chunked(b"data: 1\n\n"))
    await conversation.gone()


async def ticking(conversation: Conversation) -> None:
    """Streams for ever, an event every 20 ms."""
    await conversation.request()
    await conversation.send(CHUNKED_HEAD)
    while True:
        await conversation.send(chunked(b"data: 1\n\n"))
        await asyncio.sleep(0.02)


async def closed_within(upstream: ScriptedUpstream, seconds: float) -> None:
    """The provider must see its last connection end this soon."""
    await asyncio.wait_for(upstream.conversations[-1].ended.wait(), seconds)


async def test_an_answer_that_does_not_begin(call: Call) -> None:
    async with ScriptedUpstream(silent) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as failed:
            await call.send(upstream, first_byte_s=0.2)
        assert (failed.value.kind, failed.value.sent) == ("first_byte_timeout", True)
        assert 0.19 < time.monotonic() - started < 2
        await closed_within(upstream, 1)


async def test_an_interim_answer_does_not_count_as_a_beginning(call: Call) -> None:
    async def script(conversation: Conversation) -> None:
        await conversation.request()
        while True:
            await conversation.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            await asyncio.sleep(0.02)

    async with ScriptedUpstream(script) as upstream:
        with pytest.raises(UpstreamFailed) as failed:
            await call.send(upstream, first_byte_s=0.2)
        assert failed.value.kind == "first_byte_timeout"


async def test_a_stream_that_falls_silent(call: Call) -> None:
    async with ScriptedUpstream(one_event_then_silence) as upstream:
        response = await call.send(upstream, idle_s=0.2)
        assert await response.chunk() == b"data: 1\n\n"
        started = time.monotonic()
        for _ in range(2):
            with pytest.raises(UpstreamFailed) as failed:
                await response.chunk()
            assert (failed.value.kind, failed.value.sent) == ("idle_timeout", True)
        assert 0.19 < time.monotonic() - started < 2
        await closed_within(upstream, 1)


async def test_a_slow_reader_is_not_the_providers_silence(call: Call) -> None:
    async with ScriptedUpstream(ticking) as upstream:
        response = await call.send(upstream, idle_s=0.1)
        for _ in range(3):
            assert await response.chunk()
            await asyncio.sleep(0.25)
        assert await response.chunk()
        await response.close()


async def test_a_stream_that_goes_on_too_long(call: Call) -> None:
    async with ScriptedUpstream(ticking) as upstream:
        response = await call.send(upstream, total_s=0.3, idle_s=5)
        started = time.monotonic()
        with pytest.raises(UpstreamFailed) as failed:
            await pieces(response)
        assert (failed.value.kind, failed.value.sent) == ("total_timeout", True)
        assert 0.2 < time.monotonic() - started < 2
        await closed_within(upstream, 1)


async def test_the_total_counts_for_the_wait_before_the_answer_too(call: Call) -> None:
    async with ScriptedUpstream(silent) as upstream:
        with pytest.raises(UpstreamFailed) as failed:
            await call.send(upstream, total_s=0.2)
        assert failed.value.kind == "total_timeout"


@pytest.mark.parametrize("times", [1, 3])
async def test_an_abort_wakes_the_reader_and_closes_the_connection(call: Call, times: int) -> None:
    async with ScriptedUpstream(one_event_then_silence) as upstream:
        response = await call.send(upstream)
        await response.chunk()
        waiting = asyncio.ensure_future(response.chunk())
        await asyncio.sleep(0.02)
        for _ in range(times):
            response.abort()
        with pytest.raises(UpstreamFailed) as failed:
            await asyncio.wait_for(waiting, 0.1)
        assert (failed.value.kind, failed.value.sent) == ("aborted", True)
        await closed_within(upstream, 1)
        await response.close()
        with pytest.raises(UpstreamFailed, match="aborted"):
            await response.chunk()


async def test_an_abort_throws_away_what_waits(call: Call) -> None:
    async with ScriptedUpstream(one_event_then_silence) as upstream:
        response = await call.send(upstream)
        await asyncio.sleep(0.02)
        response.abort()
        with pytest.raises(UpstreamFailed, match="aborted"):
            await response.chunk()


async def test_closing_early_closes_the_connection(call: Call) -> None:
    async with ScriptedUpstream(ticking) as upstream:
        response = await call.send(upstream)
        await response.chunk()
        await response.close()
        await closed_within(upstream, 1)


async def test_abort_and_close_after_the_end_do_nothing(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"ok"))) as upstream:
        for _ in range(2):
            response = await call.send(upstream)
            assert await pieces(response) == [b"ok"]
            response.abort()
            assert await response.chunk() is None
        assert len(upstream.conversations) == 1


@pytest.mark.parametrize("script", [silent, one_event_then_silence])
async def test_a_cancelled_wait_closes_the_connection(call: Call, script: object) -> None:
    async with ScriptedUpstream(script) as upstream:  # type: ignore[arg-type]

        async def run() -> None:
            response = await call.send(upstream)
            try:
                await pieces(response)
            finally:
                await response.close()

        running = asyncio.ensure_future(run())
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await closed_within(upstream, 1)


def _queued(response: UpstreamResponse, request: int) -> int:
    raw = response._protocol.transport.get_extra_info("socket")  # type: ignore[attr-defined]
    return _ioctl(raw.fileno(), request)


def _ioctl(descriptor: int, request: int) -> int:
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, request, count)
    return count[0]


@pytest.mark.parametrize("piece", [50, 1000, 65536])
async def test_a_slow_reader_bounds_our_memory_and_stalls_the_provider(call: Call, piece: int) -> None:
    """What we hold = what the provider's kernel took, less what waits in the two kernels."""
    taken = 0
    block = chunked(*[b"x" * piece] * max(1, 65536 // piece))
    total = 400 * len(block)

    async def script(conversation: Conversation) -> None:
        nonlocal taken
        await conversation.request()
        conversation.writer.transport.set_write_buffer_limits(high=0)
        await conversation.send(CHUNKED_HEAD)
        for _ in range(400):
            await conversation.send(block)
            taken += len(block)
        await conversation.send(b"0\r\n\r\n")

    async with ScriptedUpstream(script) as upstream:
        response = await call.send(upstream)
        first = await response.chunk()
        assert first is not None
        before = -1
        while before != taken:
            before = taken
            await asyncio.sleep(0.3)
        assert taken < total, "the provider was never made to wait"
        server = upstream.conversations[0].writer.transport
        in_transit = _ioctl(server.get_extra_info("socket").fileno(), termios.TIOCOUTQ)
        waiting = _queued(response, termios.FIONREAD)
        held = taken + len(block) - server.get_write_buffer_size() - in_transit - waiting - len(first)
        assert held <= MAX_BUFFER + 1024  # the head and the framing of what was handed out already
        rest = b"".join(await pieces(response))
        assert len(first) + len(rest) == 400 * piece * max(1, 65536 // piece)


async def test_nothing_of_a_finished_or_aborted_answer_stays_in_memory(call: Call) -> None:
    async with ScriptedUpstream(always(answer(b"ok"))) as upstream:
        response = await call.send(upstream)
        await pieces(response)
    async with ScriptedUpstream(ticking) as upstream:
        second = await call.send(upstream)
        await second.chunk()
        second.abort()
    await asyncio.sleep(0.05)
    left = [weakref.ref(type(each)) for each in (response, second)]
    kind = type(response)
    del response, second
    gc.collect()
    assert left
    assert not [each for each in gc.get_objects() if type(each) is kind]
