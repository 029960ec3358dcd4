"""`flyball why`: why a day, or a range of days, cost more or less than another."""

import argparse
from collections.abc import Callable, Sequence
from datetime import datetime, time
from typing import Any, Final
from urllib.parse import urlencode

from proxy.cli.actions import with_client
from proxy.cli.running import AdminClient
from proxy.cli.spend import PATIENCE_S, add_choice, chosen
from proxy.cli.stretch import Stretch, earlier, length, stretch
from proxy.cli.table import plain, print_json, print_table

WHAT: Final = "why a day cost more or less than another: by volume, length of calls, models, prices, cache and retries"
PATH: Final = "/admin/v1/spend/compare"
TERMS: Final = {
    "volume": "more or fewer calls",
    "tokens_per_call": "longer or shorter calls to the same model",
    "model_mix": "calls to other models",
    "price": "the same tokens at other prices",
    "cache": "more or less answered, or read, from a cache",
    "retries": "attempts that gave no answer",
}


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `why` to the command line."""
    verb = verbs.add_parser("why", help=WHAT, description=WHAT.capitalize() + ".", epilog=_EXAMPLE)
    verb.add_argument("when", metavar="WHEN", help="a day such as 2026-11-17, or a range: 2026-11-01..2026-11-15")
    verb.add_argument(
        "--vs", default="7d", metavar="WHEN", help="beside what: so long before (7d, 4w), or a day or range itself (7d)"
    )
    verb.add_argument("--by", metavar="NAME", help="tell who moved it by this too: key, model, end_user, tag:env, …")
    verb.add_argument("--movers", type=int, default=5, metavar="N", help="how many of each kind (5)")
    verb.add_argument("--format", choices=("table", "json"), default="table", help="(table)")
    add_choice(verb)
    add_config(verb)
    verb.set_defaults(verb=with_client(_why))


def _why(client: AdminClient, options: argparse.Namespace) -> int:
    now = stretch(options.when, options.timezone)
    before = _before(now, options)
    asked = [
        ("start_time", now.start),
        ("end_time", now.end),
        ("vs_start_time", before.start),
        ("vs_end_time", before.end),
    ]
    words = [(name, str(int(at.timestamp()))) for name, at in asked]
    words += [(name, value) for name, value in chosen(options) if name != "timezone"]
    words += [("movers", str(options.movers)), *([("by", options.by)] if options.by else [])]
    told = client.ask("GET", f"{PATH}?{urlencode(words)}", timeout_s=PATIENCE_S)
    if options.format == "json":
        print_json(told)
        return 0
    _tell(told, now, before)
    return 0


def _before(now: Stretch, options: argparse.Namespace) -> Stretch:
    if _is_when(options.vs):
        return stretch(options.vs, options.timezone)
    back = length(options.vs)
    return Stretch(earlier(now.start, back), earlier(now.end, back))


def _is_when(text: str) -> bool:
    return ".." in text or text[:4].isdigit()


def _tell(told: dict[str, Any], now: Stretch, before: Stretch) -> None:
    print(f"{_said(now)}   ${told['cost_usd']}   {_calls(told, '')}")
    print(f"{_said(before)}   ${told['vs_cost_usd']}   {_calls(told, 'vs_')}")
    print(f"difference   {_signed(told['delta_usd'])}{_percent(told)}\n")
    terms = [[_signed(term["delta_usd"]), term["name"], TERMS[term["name"]]] for term in told["terms"]]
    print_table(["BY", "", ""], [*terms, [_signed(told["delta_usd"]), "in all", ""]], right=[0])
    for movers in told["movers"]:
        if movers["data"]:
            print()
            _tell_movers(movers["by"], movers["data"])


def _tell_movers(by: str, movers: Sequence[dict[str, Any]]) -> None:
    rows = [
        [
            "/".join(value or "-" for value in mover["group"].values()),
            _signed(mover["delta_usd"]),
            f"${mover['cost_usd']}",
            f"${mover['vs_cost_usd']}",
            f"{mover['calls']:,}",
            f"{mover['vs_calls']:,}",
            f"{mover['first_call_at']} {mover['first_operation']}" if mover["first_operation"] else "",
        ]
        for mover in movers
    ]
    head = [plain(by).upper(), "DIFFERENCE", "NOW", "BEFORE", "CALLS", "BEFORE", "FIRST CALL"]
    print_table(head, rows, right=range(1, 6))


def _said(span: Stretch) -> str:
    return f"{_moment(span.start)} to {_moment(span.end)}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d}" if at.time() == time() else f"{at:%Y-%m-%d %H:%M}"


def _calls(told: dict[str, Any], side: str) -> str:
    cached = told[f"{side}cached_calls"]
    return f"{told[f'{side}paid_calls']:,} paid calls" + (f", {cached:,} from cache" if cached else "")


def _signed(usd: str) -> str:
    return f"-${usd[1:]}" if usd.startswith("-") else f"+${usd}"


def _percent(told: dict[str, Any]) -> str:
    if not told["vs_cost_nano"]:
        return ""
    tenths = told["delta_nano"] * 1000 // told["vs_cost_nano"]
    return f"   {'-' if tenths < 0 else '+'}{abs(tenths) // 10}.{abs(tenths) % 10} %"


_EXAMPLE: Final = "Example: flyball why 2026-11-17 --vs 7d --where team=support --by model --timezone Europe/Berlin"
