"""Tokens come at the pace of a model."""

import statistics
from random import Random

import httpx

from proxy.sim import SimProvider, SimServer, SimSettings
from proxy.sim.models import MODELS
from proxy.sim.pace import Pace


def test_waits_spread_around_the_models_own() -> None:
    model = MODELS["sim-large"]
    pace = Pace(model, Random(1), 1)
    gaps = [pace.before_next(1) for _ in range(4000)]
    assert abs(statistics.mean(gaps) * model.tokens_per_s - 1) < 0.05
    firsts = [pace.before_first(0) for _ in range(4000)]
    assert abs(statistics.median(firsts) / model.first_token_s - 1) < 0.05
    assert max(firsts) > 2 * statistics.median(firsts)


def test_speed_divides_every_wait() -> None:
    slow, fast = (Pace(MODELS["sim-small"], Random(3), speed) for speed in (1, 4))
    assert slow.before_first(800) == 4 * fast.before_first(800)
    still = Pace(MODELS["sim-small"], Random(3), 0)
    assert (still.before_first(10_000), still.before_next(50)) == (0, 0)


def test_a_stream_arrives_in_more_than_one_piece_over_time() -> None:
    asked = {"model": "sim-small", "stream": True, "messages": [{"role": "user", "content": "x"}], "max_tokens": 20}
    with (
        SimServer(SimProvider(settings=SimSettings(speed=2))) as sim,
        httpx.stream("POST", f"{sim.url}/chat/completions", json=asked) as response,
    ):
        assert sum(1 for _ in response.iter_raw()) > 10
