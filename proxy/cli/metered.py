"""What `flyball budgets` and `flyball limits` have in common: their actions over the admin API."""

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from proxy.admin.shapes.restated import restated, unit_of
from proxy.cli.running import AdminClient, connect
from proxy.cli.shown_budget import print_history, print_list, print_one
from proxy.cli.stating import add_statements, length_of, stated
from proxy.cli.table import print_json

_PAGE: Final = 500

Act = Callable[["Kind", AdminClient, argparse.Namespace], int]


class Kind(NamedTuple):
    """One of the two: its word on the command line and in paths, and what it is called."""

    word: str
    title: str

    @property
    def path(self) -> str:
        """Where the admin API has all of them."""
        return f"/admin/v1/{self.word}"

    def of(self, name: str) -> str:
        """Where it has one."""
        return f"{self.path}/{quote(name, safe='')}"


def add_kind(kind: Kind, verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> Any:
    """Add the verb with its actions to the command line; returns them, to add more."""
    what = f"list, show and change the {kind.title}s of the running Flyball"
    verb = verbs.add_parser(kind.word, help=what, description=what.capitalize() + ".")
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    for name, words, act, arguments in _ACTIONS:
        action = actions.add_parser(
            name, help=words.format(kind.title), description=words.format(kind.title).capitalize() + "."
        )
        if name != "list":
            action.add_argument("name", help=f"the {kind.title}'s name")
        arguments(kind, action)
        action.add_argument("--json", action="store_true", help="print what the admin API says, for programs")
        add_config(action)
        action.set_defaults(verb=_with_client(kind, act))
    return actions


def _with_client(kind: Kind, act: Act) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        client = connect(options.config)
        return 1 if client is None else act(kind, client, options)

    return run


def _list(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    found = list(_all(kind, client, {"org": options.org, "team": options.team}))
    if options.json:
        print_json(found)
    elif found:
        print_list(found)
    else:
        print(f"no {kind.title}s; make one with: flyball {kind.word} set NAME --scope org:… --limit-…")
    return 0


def _all(kind: Kind, client: AdminClient, narrowed: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    query = {name: value for name, value in narrowed.items() if value is not None} | {"limit": str(_PAGE)}
    page: str | None = ""
    while page is not None:
        told = client.ask("GET", f"{kind.path}?{urlencode(query | ({'page': page} if page else {}))}")
        yield from told["data"]
        page = told["next_page"] if told["has_more"] else None


def _show(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    query = f"?{urlencode({'scope': options.scope})}" if options.scope else ""
    told = client.ask("GET", kind.of(options.name) + query)
    print_json(told) if options.json else print_one(told)
    return 0


def _set(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    """Make one, or change what is said and keep the rest, unless somebody changes it meanwhile."""
    known, tag = client.found(kind.of(options.name))
    body = stated(options)
    if known is not None:
        before = restated(known)
        if any(name.startswith("limit_") for name in body):
            before.pop(f"limit_{unit_of(known)}")
            before.pop("tokens", None) if "limit_tokens" not in body else None
        body = before | body
    missing = [] if "scope" in body else ["--scope"]
    missing += [] if any(name.startswith("limit_") for name in body) else ["--limit-…"]
    if missing:
        raise SystemExit(
            f"flyball: there is no {kind.title} {options.name} yet; say {' and '.join(missing)} to make it"
        )
    told = client.ask("PUT", kind.of(options.name), body, tag=tag)
    print_json(told) if options.json else print_one(told)
    return 0


def _raise(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    unit = unit_of(client.ask("GET", kind.of(options.name)))
    if unit != "usd" and not options.by.isdigit():
        raise SystemExit(f"flyball: {options.name} counts {unit}: --by is a whole number of them")
    until = options.until
    if until is None:
        until = (datetime.now(UTC) + timedelta(seconds=options.lasting)).isoformat(timespec="seconds")
    body = {"until": until, "reason": options.reason, f"by_{unit}": options.by if unit == "usd" else int(options.by)}
    told = client.ask("POST", f"{kind.of(options.name)}/raises", body)
    if options.json:
        print_json(told)
    else:
        print(f"raised {options.name} by {options.by} {unit} until {told['until']}  ({told['id']})")
    return 0


def _end_raise(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    told = client.ask("DELETE", f"{kind.of(options.name)}/raises/{quote(options.raise_id, safe='')}")
    print_json(told) if options.json else print(f"ended {options.raise_id} of {options.name}")
    return 0


def _delete(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    told = client.ask("DELETE", kind.of(options.name))
    print_json(told) if options.json else print(f"deleted {options.name} and what it had counted")
    return 0


def _history(kind: Kind, client: AdminClient, options: argparse.Namespace) -> int:
    told = client.ask("GET", f"{kind.of(options.name)}/history?limit={options.limit}")
    print_json(told["data"]) if options.json else print_history(told["data"])
    return 0


def _of_tenant(kind: Kind, action: argparse.ArgumentParser) -> None:
    action.add_argument("--org", help="only those of this org")
    action.add_argument("--team", help="only those of this team")


def _of_scope(kind: Kind, action: argparse.ArgumentParser) -> None:
    action.add_argument("--scope", help="of one for *: which one, such as user:acme/u1; the fullest if not said")


def _raising(kind: Kind, action: argparse.ArgumentParser) -> None:
    action.add_argument("--by", required=True, metavar="AMOUNT", help="by how much, in what it counts")
    end = action.add_mutually_exclusive_group(required=True)
    end.add_argument("--for", dest="lasting", type=length_of, metavar="LENGTH", help="how long: 90m, 24h, 7d")
    end.add_argument("--until", metavar="TIME", help="until when: 2026-12-01T00:00:00Z")
    action.add_argument("--reason", required=True, help="why; kept with the raise and in the audit trail")


def _which_raise(kind: Kind, action: argparse.ArgumentParser) -> None:
    action.add_argument("raise_id", help=f"the raise's id, as `flyball {kind.word} show` tells it")


def _how_many(kind: Kind, action: argparse.ArgumentParser) -> None:
    action.add_argument("--limit", type=int, default=50, metavar="N", help="how many at most (50)")


def _nothing(kind: Kind, action: argparse.ArgumentParser) -> None:
    pass


def _stating(kind: Kind, action: argparse.ArgumentParser) -> None:
    add_statements(action, rate=kind.word == "limits")


_ACTIONS: Final[tuple[tuple[str, str, Act, Callable[[Kind, argparse.ArgumentParser], None]], ...]] = (
    ("list", "every {} and how it stands now", _list, _of_tenant),
    ("show", "one {}: how it stands, its ladder, its raises and what it will come to", _show, _of_scope),
    ("set", "make a {}, or change what is said of one and keep the rest", _set, _stating),
    ("raise", "raise a {}'s limit for a while", _raise, _raising),
    ("end-raise", "end a raise of a {} before its time", _end_raise, _which_raise),
    ("delete", "delete a {} and what it has counted", _delete, _nothing),
    ("history", "who changed a {}, when and how, newest first", _history, _how_many),
)
