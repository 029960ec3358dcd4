"""`flyball policy try` and `flyball policy diff`: what a draft would have decided on calls that were made.

The draft is evaluated here, in this process: neither the admin port nor a worker ever loads it.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from proxy.cli.actions import add_action, with_client
from proxy.cli.replayed import compared, print_diff, print_tried
from proxy.cli.running import AdminClient
from proxy.cli.stating import length_of
from proxy.cli.table import print_json
from proxy.journey.policy_facts import VERSION
from proxy.policy import (
    BadPolicy,
    Bundle,
    Change,
    Kept,
    Point,
    Replayer,
    read_draft,
    read_taken,
    trace,
)

INPUTS: Final = "/admin/v1/policies/inputs"
PAGE: Final = 100
MOST_EXAMPLES: Final = 5
_DIFFERS: Final = (
    Change.NEWLY_DENIED,
    Change.NEWLY_ALLOWED,
    Change.OTHER_REASON,
    Change.OBLIGATIONS_DIFFER,
    Change.FAILED,
)


def add_actions(actions: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `try` and `diff` to `flyball policy`."""
    trying = add_action(actions, "try", "decide on one call again, by a draft: then and now, and which rules fired")
    trying.add_argument("--operation", required=True, metavar="ID", help="the call (op_…)")
    diff = add_action(actions, "diff", "decide again, by a draft, on what was decided lately, and count what differs")
    diff.add_argument("--since", type=length_of, default="24h", metavar="LENGTH", help="how far back: 90m, 24h (24h)")
    diff.add_argument("--limit", type=int, default=10_000, metavar="N", help="the latest decisions at most (10,000)")
    diff.add_argument("--org", help="only calls of this org")
    diff.add_argument("--point", choices=[point.value for point in Point], help="only decisions at this point")
    diff.add_argument("--exit-code", action="store_true", help="end with 1 if anything would be decided otherwise")
    for action, run in ((trying, _try), (diff, _diff)):
        action.add_argument(
            "draft",
            nargs="+",
            type=Path,
            help="a folder or a bundle (.tar.gz) that is the whole draft, or Rego files laid over what decides now",
        )
        action.add_argument("--json", action="store_true", help="print JSON")
        add_config(action)
        action.set_defaults(verb=with_client(run))


def _try(client: AdminClient, options: argparse.Namespace) -> int:
    bundle, replayer, made_of = _draft(client, options.draft)
    kept = sorted(
        _kept(client, {"operation": options.operation}, PAGE), key=lambda each: each["decision"]["decided_at"]
    )
    if not kept:
        raise SystemExit(
            f"flyball: no decision on {options.operation} is kept: decisions are written where a rule stands beyond "
            "the grant, and reach the store within seconds"
        )
    told = []
    for each in kept:
        replayed = replayer.replay(_of(each))
        asked = replayed.change is not Change.NOT_REPLAYED
        rules = trace(bundle, Point(each["decision"]["point"]), each["input"]) if asked else []
        told.append({**compared(each, replayed), "rules": [msgspec.to_builtins(rule) for rule in rules]})
    if options.json:
        print_json({"operation": options.operation, "draft": made_of, "decisions": told})
    else:
        print_tried(made_of, told)
    return 0


def _diff(client: AdminClient, options: argparse.Namespace) -> int:
    _, replayer, made_of = _draft(client, options.draft)
    since = datetime.now(UTC) - timedelta(seconds=options.since)
    asked = {"start_time": f"{since:%Y-%m-%dT%H:%M:%SZ}", "org": options.org, "point": options.point}
    counts: Counter[str] = Counter({change.value: 0 for change in Change})
    reasons: Counter[str] = Counter()
    points: Counter[str] = Counter()
    examples: dict[str, list[dict[str, Any]]] = {}
    for each in _kept(client, asked, options.limit):
        replayed = replayer.replay(_of(each))
        counts[replayed.change.value] += 1
        points[each["decision"]["point"]] += 1
        if replayed.change is Change.NOT_REPLAYED:
            reasons[replayed.why] += 1
        elif replayed.change is not Change.SAME:
            some = examples.setdefault(replayed.change.value, [])
            if len(some) < MOST_EXAMPLES:
                some.append(compared(each, replayed))
    told = {
        "since": asked["start_time"],
        "draft": made_of,
        "decisions": sum(points.values()),
        "counts": dict(counts),
        "not_replayed": dict(reasons.most_common()),
        "unseen_points": _unseen(replayer, points, options.point),
        "examples": examples,
    }
    if options.json:
        print_json(told)
    else:
        print_diff(told)
    differs = any(counts[change.value] for change in _DIFFERS)
    return 1 if options.exit_code and differs else 0


def _unseen(replayer: Replayer, points: Counter[str], only: str | None) -> list[str]:
    """Points at which the draft has rules, and nothing was kept: nothing is known of what they would do."""
    wanted = [point for point in Point if only in (None, point.value)]
    return [point.value for point in wanted if replayer.engine.is_live(point) and not points[point.value]]


def _draft(client: AdminClient, paths: Sequence[Path]) -> tuple[Bundle, Replayer, list[str]]:
    taken = client.folder.taken_policy
    try:
        over = read_taken(taken).bundle if taken.exists() else None
        bundle, made_of = read_draft(paths, over)
        return bundle, Replayer(bundle, version=VERSION), made_of
    except BadPolicy as error:
        for problem in error.problems:
            print(f"flyball: {problem}", file=sys.stderr)
        raise SystemExit(1) from None


def _kept(client: AdminClient, asked: dict[str, Any], most: int) -> Iterator[dict[str, Any]]:
    """Decisions with their inputs, newest first, a page at a time."""
    query, page = {name: value for name, value in asked.items() if value is not None}, ""
    while most > 0:
        found = client.ask("GET", f"{INPUTS}?{urlencode({**query, 'limit': min(most, PAGE)})}{page}")
        yield from found["data"]
        most -= len(found["data"])
        if not found["has_more"]:
            return
        page = f"&page={found['next_page']}"


def _of(each: dict[str, Any]) -> Kept:
    decision = each["decision"]
    return Kept(
        point=Point(decision["point"]),
        allow=decision["allow"],
        denials=tuple(decision["denials"]),
        obligations=tuple(decision["obligations"]),
        facts=each["input"],
        unread=tuple(each["unread"]),
    )
