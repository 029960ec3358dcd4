"""What a draft of policies would have decided, beside what was decided, as it is told on the command line."""

import json
from typing import Any

import msgspec

from proxy.cli.table import plain
from proxy.policy import Replayed, obligations_of


def compared(each: dict[str, Any], replayed: Replayed) -> dict[str, Any]:
    """A decision as it was and as it would be, as JSON tells it."""
    then, now = each["decision"], replayed.decision
    return {
        "operation": then["operation_id"],
        "decision": then["id"],
        "point": then["point"],
        "tool": then["tool"],
        "change": replayed.change.value,
        "why": replayed.why,
        "then": {name: then[name] for name in ("allow", "denials", "obligations", "revision")},
        "now": None
        if now is None
        else {
            "allow": now.allow,
            "denials": list(replayed.denials),
            "obligations": msgspec.to_builtins(obligations_of(now.duties)),
            "revision": now.revision,
        },
    }


def print_tried(made_of: list[str], told: list[dict[str, Any]]) -> None:
    """The decisions of one call, then and now, with the rules that fired."""
    print(f"draft: {'; '.join(made_of)}")
    for each in told:
        print(
            f"\n{each['point']}{' ' + plain(each['tool']) if each['tool'] else ''}  {each['decision']}  {_word(each)}"
        )
        print(f"  then  {_said(each['then'])}")
        print(f"  now   {_said(each['now']) if each['now'] else each['why']}")
        for rule in each["rules"]:
            print(f"  {'fired' if rule['fired'] else '  -  '}  {rule['path']}:{rule['line']}  {plain(rule['text'])}")


def print_diff(told: dict[str, Any]) -> None:
    """How many decisions would differ, why some could not be replayed, and examples."""
    print(f"{told['decisions']:,} decisions since {told['since']}, by {'; '.join(told['draft'])}")
    for name, count in told["counts"].items():
        print(f"  {name.replace('_', ' '):<20}{count:>9,}")
    for why, count in told["not_replayed"].items():
        print(f"  {count:,} not replayed: {plain(why)}")
    for point in told["unseen_points"]:
        print(f"  nothing is known of its rules at {point}: no decision was kept there")
    for name, some in told["examples"].items():
        print(f"\n{name.replace('_', ' ')}, for example")
        for each in some:
            print(f"  {each['operation']}  {each['point']}  then {_said(each['then'])}")
            print(f"  {'':<35}{'':<{len(each['point'])}}  now  {_said(each['now']) if each['now'] else each['why']}")


def _word(each: dict[str, Any]) -> str:
    return str(each["change"]).replace("_", " ")


def _said(decision: dict[str, Any]) -> str:
    words = "allowed" if decision["allow"] else "denied"
    denials = " ".join(decision["denials"])
    obliged = " ".join(json.dumps(each, ensure_ascii=False) for each in decision["obligations"])
    return plain(" ".join(part for part in (words, denials, obliged) if part))
