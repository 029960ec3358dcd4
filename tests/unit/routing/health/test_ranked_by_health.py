"""What a target's health does to its place, whatever the strategy."""

import pytest

from proxy.routing import Candidate, Look, Option, Turn, ranked
from proxy.routing.settings import Strategy
from proxy.routing.strategies import STRATEGIES

TURN = Turn(lot=b"1", conversation=b"c")
WELL = Look(ttft_ms=9_000.0, busy=50)
LOOKS = {
    "closed for long": Look(ready=False, why="its breaker is open", wait_s=5.0),
    "coming back": Look(ready=False, why="it is coming back"),
    "tight": Look(headroom=0.04, ttft_ms=1.0),
    "well": WELL,
}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_those_that_are_well_come_first_and_who_waits_longest_last(strategy: Strategy) -> None:
    options = [Option(candidate=Candidate(name, "m"), look=look) for name, look in LOOKS.items()]
    order = ranked(strategy, options, TURN)
    assert [each.candidate.provider for each in order] == ["well", "tight", "coming back", "closed for long"]
    assert [each.why for each in order][1:] == [
        "4% of its rate limits left",
        "it is coming back",
        "its breaker is open",
    ]
