"""The lines and the ticket that a call's run adds to its hold."""

from dataclasses import replace
from decimal import Decimal

from msgspec import structs

from proxy.budget import LineKind, RunTicket, Unit
from proxy.core.tenant import Principal
from proxy.journey.run_book import RunBook
from proxy.runs import DERIVED, Claims, RunLimitEntry, RunSettings

DAY_NS = 86_400_000_000_000
BOT = Principal(org="acme", team="support", key_id="key_1", key_name="bot")
RUN = Claims(run="r/1", run_source="header", agent="bot")


def book(*limits: RunLimitEntry) -> RunBook:
    return RunBook.of(RunSettings(limits=limits))


def test_without_limits_nothing_is_watched() -> None:
    runs = book()
    assert not runs.watches
    assert runs.lines(BOT, RUN, 0) == ()
    assert runs.ticket(BOT, RUN) is None


def test_each_count_is_a_line_of_the_run() -> None:
    runs = book(RunLimitEntry(scope="org:acme", calls=3, tool_calls=4, tokens=5, usd=Decimal("0.5")))
    assert runs.watches
    lines = runs.lines(BOT, RUN, 10 * DAY_NS)
    assert [(line.unit, line.limit, line.amount) for line in lines] == [
        (Unit.REQUESTS, 3, 1),
        (Unit.TOOL_CALLS, 4, 0),
        (Unit.TOKENS, 5, 0),
        (Unit.USD, 500_000_000, None),
    ]
    assert {(line.kind, line.scope, line.window, line.hard, line.name) for line in lines} == {
        (LineKind.RUN, "run:acme/r/1", "total", True, "runs of org:acme")
    }
    assert lines[0].budget == "run/acme/key_1/requests/r/1"
    assert {line.kept_until_ns for line in lines} == {(10 + 1 + 30) * DAY_NS}


def test_a_run_is_its_orgs_and_its_keys_alone() -> None:
    runs = book(RunLimitEntry(calls=3))
    others = [replace(BOT, key_id="key_2"), replace(BOT, org="other")]
    counters = {runs.lines(who, RUN, 0)[0].budget for who in (BOT, *others)}
    assert len(counters) == 3


def test_an_agents_own_count_is_another_counter() -> None:
    runs = book(RunLimitEntry(scope="*", calls=9), RunLimitEntry(scope="agent:acme/*", calls=3))
    lines = runs.lines(BOT, structs.replace(RUN, agent="a/b"), 0)
    assert [line.budget for line in lines] == ["run/acme/key_1/requests/r/1", "run/acme/key_1/requests@a%2Fb/r/1"]


def test_the_ticket_has_seconds_depth_and_parent() -> None:
    runs = book(RunLimitEntry(seconds=60, depth=2))
    assert runs.ticket(BOT, structs.replace(RUN, parent_run="root")) == RunTicket(
        org="acme", key_id="key_1", name="r/1", parent="root", max_s=60, max_depth=2
    )
    assert runs.lines(BOT, RUN, 0) == ()


def test_a_limit_of_counts_alone_has_a_ticket_too() -> None:
    """So that the ledger stops a killed run at its next hold, and knows when a run began."""
    assert book(RunLimitEntry(calls=1)).ticket(BOT, RUN) == RunTicket(org="acme", key_id="key_1", name="r/1")


def test_a_call_of_no_run_or_of_nobodys_limit_has_neither() -> None:
    runs = book(RunLimitEntry(scope="org:other", calls=1))
    assert runs.ticket(BOT, RUN) is None
    assert runs.lines(BOT, RUN, 0) == ()
    everyone = book(RunLimitEntry(calls=1))
    assert everyone.ticket(BOT, Claims(agent="bot")) is None
    assert everyone.lines(BOT, Claims(agent="bot"), 0) == ()


def test_a_derived_run_is_not_limited_unless_said() -> None:
    derived = Claims(run="derived-1", run_source=DERIVED, agent="bot")
    assert book(RunLimitEntry(calls=1)).lines(BOT, derived, 0) == ()
    assert len(book(RunLimitEntry(calls=1, derived=True)).lines(BOT, derived, 0)) == 1


def test_the_same_lines_are_given_again_within_a_day_and_a_key() -> None:
    runs = book(RunLimitEntry(scope="team:acme/support", calls=1))
    lines = runs.lines(BOT, RUN, 0)
    assert runs.lines(BOT, RUN, DAY_NS - 1) is lines
    assert runs.lines(BOT, RUN, DAY_NS)[0].kept_until_ns == 32 * DAY_NS
    # The key was moved to another team: the limit is no longer its own.
    assert runs.lines(replace(BOT, team="sales"), RUN, DAY_NS) == ()


def test_remembered_runs_are_bounded() -> None:
    runs = book(RunLimitEntry(calls=1))
    for number in range(20_000):
        runs.lines(BOT, Claims(run=f"r{number}"), 0)
    assert len(runs._runs) <= 8192
