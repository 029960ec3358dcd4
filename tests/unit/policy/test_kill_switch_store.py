"""Kill switches as they are written, kept and found: what a text names, which call one is of, when it ends."""

from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.core.clock import SetClock
from proxy.policy import (
    BadTarget,
    Switch,
    SwitchError,
    Switches,
    SwitchKind,
    SwitchStore,
    SwitchTarget,
    ToolBook,
    ToolSettings,
    parse_target,
    tool_problems,
)
from proxy.state import StateFile

ORG = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=1, max_size=20).filter(str.isprintable)


def nothing_reads(org: str, name: str) -> bool:
    return False


def switch(text: str, number: int = 0) -> Switch:
    return Switch(id=f"kil_{number}", target=parse_target(text), reason="why", by="anna", since_ns=0)


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime(2026, 11, 30, 12, tzinfo=UTC))


@pytest.fixture
def store(tmp_path: Path, clock: SetClock) -> Iterator[SwitchStore]:
    state = StateFile(tmp_path / "ledger.sqlite")
    yield SwitchStore(state, clock=clock)
    state.close()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("org:acme", SwitchTarget(SwitchKind.ORG, "acme", "acme")),
        ("team:acme/support", SwitchTarget(SwitchKind.TEAM, "acme/support", "acme", "support")),
        ("key:acme/support/bot", SwitchTarget(SwitchKind.KEY, "acme/support/bot", "acme", "support")),
        ("agent:acme/triage", SwitchTarget(SwitchKind.AGENT, "acme/triage", "acme")),
        ("run:acme/a/b c", SwitchTarget(SwitchKind.RUN, "acme/a/b c", "acme")),
        ("model:openai/gpt-*", SwitchTarget(SwitchKind.MODEL, "openai/gpt-*")),
        ("provider:openai", SwitchTarget(SwitchKind.PROVIDER, "openai")),
        ("tool:delete_*", SwitchTarget(SwitchKind.TOOL, "delete_*")),
        ("writes", SwitchTarget(SwitchKind.WRITES, "")),
        ("writes:acme", SwitchTarget(SwitchKind.WRITES, "acme", "acme")),
    ],
)
def test_what_a_text_names(text: str, target: SwitchTarget) -> None:
    assert parse_target(text) == target and target.text == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "org", "org:", "org:a/b", "org:a b", "org:*", "team:acme", "key:acme/bot", "agent:acme", "agent:acme/"),
        *("run:/r", "model:", "model: gpt", "model:a\nb", "tool:x\u202ey", "writes:", "writes:a/b", "Org:acme"),
        *("user:acme/u1", "tag:acme/k=v", "model:" + "x" * 300),
    ],
)
def test_what_names_nothing(text: str) -> None:
    with pytest.raises(BadTarget, match=r"written like|begins with"):
        parse_target(text)


@given(st.text(max_size=40) | st.tuples(st.sampled_from(list(SwitchKind)), st.text(max_size=40)).map(":".join))
def test_any_text_names_one_thing_or_none(text: str) -> None:
    try:
        target = parse_target(text)
    except BadTarget:
        return
    assert target.text == text and parse_target(target.text) == target


@given(
    st.lists(st.tuples(st.sampled_from(["org", "team", "key", "agent", "run"]), ORG, ORG, ORG), max_size=6),
    ORG,
    ORG,
    ORG,
    ORG,
)
def test_a_scope_is_off_if_a_switch_names_it(
    made: list[tuple[str, str, str, str]], org: str, team: str, key: str, run: str
) -> None:
    depth = {"org": 1, "team": 2, "key": 3, "agent": 2, "run": 2}
    texts = [f"{kind}:{'/'.join(parts[: depth[kind]])}" for kind, *parts in made]
    scopes = (f"org:{org}", f"team:{org}/{team}", f"key:{org}/{team}/{key}", f"agent:{org}/{key}", f"run:{org}/{run}")
    for more in ([], [scopes[len(made) % 5]]):
        found = Switches([switch(text) for text in (*texts, *more)]).of_scopes(scopes)
        assert (found is not None) == bool({*texts, *more} & set(scopes))
        assert found is None or found.target.text in scopes


@given(st.lists(TEXT, max_size=5), TEXT)
def test_a_pattern_of_models_and_tools_is_of_whatever_it_matches_in_any_case(patterns: list[str], name: str) -> None:
    wanted = any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)
    models = Switches([switch(f"model:{pattern}") for pattern in patterns])
    tools = Switches([switch(f"tool:{pattern}") for pattern in patterns])
    for spelled in {name, name.swapcase() if name.swapcase().casefold() == name.casefold() else name, f" {name} "}:
        assert (models.of_candidate("up", (spelled,)) is not None) == wanted
        assert (tools.of_tool("acme", spelled, nothing_reads) is not None) == wanted
    assert models.of_tool("acme", name, nothing_reads) is None and tools.of_candidate("up", (name,)) is None
    assert tools.gates("acme") == bool(patterns)


def test_with_writes_off_only_what_is_registered_as_reading_passes() -> None:
    book = ToolBook(
        [
            ToolSettings(name="read_secret", access="write", org="beta"),
            ToolSettings(name="read_*", access="read"),
            ToolSettings(name="*", access="write"),
        ]
    )
    everywhere, acme = Switches([switch("writes")]), Switches([switch("writes:acme")])
    for switches, org, off in ((everywhere, "acme", True), (acme, "acme", True), (acme, "beta", False)):
        assert switches.gates(org) == off
        assert (switches.of_tool(org, "delete_file", book.is_read) is not None) == off
        assert switches.of_tool(org, "read_file", book.is_read) is None
        assert (switches.of_tool(org, "READ_file", book.is_read) is not None) == off
        assert (switches.of_tool(org, "", book.is_read) is not None) == off
    assert everywhere.of_tool("acme", "read_secret", book.is_read) is None
    assert everywhere.of_tool("beta", "read_secret", book.is_read) is not None


def test_none_is_false() -> None:
    assert not Switches() and Switches([switch("org:acme")])
    assert not Switches().has_ended(1 << 62)


def test_a_switch_is_set_listed_and_lifted(store: SwitchStore, clock: SetClock) -> None:
    acme = store.set(parse_target("org:acme"), reason="loops", by="anna")
    clock.move(5)
    gpt = store.set(parse_target("model:gpt-*"), reason="leaks", by="ben", expires_ns=clock.now_ns() + 10**9)
    beta = store.set(parse_target("key:beta/t/bot"), reason="stolen", by="ben")
    assert [each.id for each in store.load().all] == [acme.id, gpt.id, beta.id]
    assert 'flyball_kill_switches{kind="org"} 1\n' in store.metrics()
    assert [each.id for _, each in store.newest(limit=9, org="acme")] == [gpt.id, acme.id]
    assert [each.id for _, each in store.newest(limit=9, org="beta", team="other")] == [gpt.id]
    clock.move(1)
    assert [each.id for each in store.load().all] == [acme.id, beta.id]
    assert [each.id for _, each in store.newest(limit=9, is_on=False)] == [gpt.id]
    lifted = store.lift(acme.id, by="cleo")
    assert (lifted.lifted_by, lifted.lifted_ns, lifted.is_on(clock.now_ns())) == ("cleo", clock.now_ns(), False)
    assert [each.id for each in store.load().all] == [beta.id]
    ((number, last), *_) = store.newest(limit=1)
    assert last == beta and [each for _, each in store.newest(limit=9, before=number)] == [gpt, lifted]
    for switch_id, fault in ((acme.id, "ended"), (gpt.id, "ended"), ("kil_none", "not_found")):
        with pytest.raises(SwitchError) as error:
            store.lift(switch_id, by="cleo")
        assert error.value.fault == fault


def test_what_cannot_be_meant_so_is_not_set(store: SwitchStore, clock: SetClock) -> None:
    target = parse_target("org:acme")
    for reason, expires_ns, param in (("", None, "reason"), (" ", None, "reason"), ("x" * 501, None, "reason")):
        with pytest.raises(SwitchError) as error:
            store.set(target, reason=reason, by="anna", expires_ns=expires_ns)
        assert error.value.param == param
    with pytest.raises(SwitchError, match="in the future"):
        store.set(target, reason="r", by="anna", expires_ns=clock.now_ns())
    assert not store.load()


def test_workers_look_after_each_change(tmp_path: Path, clock: SetClock) -> None:
    state = StateFile(tmp_path / "ledger.sqlite")
    store, before = SwitchStore(state, clock=clock), state.generation()
    made = store.set(parse_target("org:acme"), reason="r", by="anna")
    store.lift(made.id, by="anna")
    assert state.generation() == before + 2
    state.close()


@pytest.mark.parametrize("version", ["1.4.0", "0.0.1-rc.1+build.5", "10.20.30", None])
def test_a_version_of_a_schema(version: str | None) -> None:
    assert tool_problems([ToolSettings(name="x", version=version)]) == []


@pytest.mark.parametrize("version", ["1", "1.4", "v1.4.0", "01.2.3", "1.2.3-01", "1.2.3 ", "", "١.٢.٣"])
def test_what_is_no_version(version: str) -> None:
    (said,) = tool_problems([ToolSettings(name="x", version=version)])
    assert said.startswith("tools[0].version: is no semantic version")


def test_a_registry_that_cannot_be_meant_so() -> None:
    said = tool_problems([ToolSettings(name=""), ToolSettings(name="x"), ToolSettings(name="x")])
    assert [each.partition(":")[0] for each in said] == ["tools[0].name", "tools[2].name"]
    assert tool_problems([ToolSettings(name="x"), ToolSettings(name="x", org="acme")]) == []
