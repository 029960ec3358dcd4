"""`flyball grafana` on the command line."""

import argparse
import re
import shutil
import sys
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from dashboards.datasource import UID
from dashboards.provisioning import FOLDER_TITLE
from proxy.app.configuration import environment
from proxy.cli.grafana.api import Grafana, GrafanaRefused
from proxy.cli.grafana.push import ClickHouse, Wanted, push
from proxy.cli.grafana.viewers import viewer_roles, viewer_user
from proxy.cli.table import plain
from proxy.identity import KeyStore

TOKEN_ENV: Final = "GRAFANA_TOKEN"
_READER: Final = "grafana"
_PUSH: Final = "put folder, data source (if missing), boards and alert rules into a Grafana that is there"
_VIEWER: Final = "print the statements that make a ClickHouse server's user who reads one org's rows, or one team's"
_FILES: Final = "write boards and provisioning files into a folder, for a Grafana to mount"


def add_verb(verbs: Any, add_config: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add `grafana` to the command line. It needs no configuration, and no Flyball that runs."""
    verb = verbs.add_parser(
        "grafana", help="put boards and alert rules into a Grafana", description="Boards and alert rules in Grafana."
    )
    actions = verb.add_subparsers(metavar="ACTION", required=True)
    pushing = actions.add_parser(
        "push",
        help=_PUSH,
        description=_PUSH.capitalize()
        + ". Done again, it changes nothing; what was changed there by hand is set back.",
    )
    _add_push(pushing)
    pushing.set_defaults(verb=_push)
    writing = actions.add_parser("files", help=_FILES, description=_FILES.capitalize() + ".")
    writing.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="gets provisioning/ and boards/")
    writing.set_defaults(verb=_write_files)
    viewing = actions.add_parser(
        "viewer", help=_VIEWER, description=_VIEWER.capitalize() + ", for a ClickHouse server."
    )
    _add_viewer(viewing)
    viewing.set_defaults(verb=_print_viewer)


def _add_viewer(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--org", required=True, help="whose rows the user `org:ORG` reads")
    verb.add_argument("--team", default="", help="only this team's: the user is `team:ORG/TEAM`")
    verb.add_argument(
        "--password-env", required=True, metavar="NAME", help="the environment variable that holds the user's password"
    )
    verb.add_argument("--database", default="flyball", help="the database of our tables; default flyball")


def _add_push(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", required=True, help="where Grafana is, e.g. https://grafana.example.com")
    verb.add_argument(
        "--token-env",
        default=TOKEN_ENV,
        metavar="NAME",
        help=f"the environment variable that holds a service account's token; default {TOKEN_ENV}",
    )
    verb.add_argument("--folder", default=FOLDER_TITLE, help=f"the folder, by title or uid; default {FOLDER_TITLE}")
    verb.add_argument("--datasource", default=UID, metavar="UID", help=f"the data source's uid; default {UID}")
    verb.add_argument(
        "--clickhouse-url", metavar="URL", help="what a new data source asks, e.g. http://clickhouse:8123/flyball"
    )
    verb.add_argument("--clickhouse-user", default=_READER, metavar="NAME", help=f"as whom; default {_READER}")
    verb.add_argument(
        "--clickhouse-password-env", metavar="NAME", help="the environment variable that holds that user's password"
    )
    verb.add_argument(
        "--anomaly-usd",
        type=float,
        metavar="USD",
        help="dollars over the usual from which spend is unusual; default 10",
    )
    verb.add_argument("--dry-run", action="store_true", help="look, and say what would be done; change nothing")


def _push(options: argparse.Namespace) -> int:
    try:
        token = _secret(options.token_env)
        wanted = Wanted(
            folder=options.folder,
            source=options.datasource,
            clickhouse=_clickhouse(options),
            anomaly_usd=options.anomaly_usd,
            dry_run=options.dry_run,
        )
        with Grafana(_address(options.url), token) as grafana:
            print(f"Grafana {grafana.version()} at {grafana.url}")
            for step in push(grafana, wanted):
                would = "would be " if options.dry_run and step.done in ("created", "updated") else ""
                print(f"{step.what:<12} {step.name:<40} {would}{step.done}")
    except GrafanaRefused as refused:
        print(f"flyball: {refused}", file=sys.stderr)
        return 1
    return 0


def _print_viewer(options: argparse.Namespace) -> int:
    try:
        password = _secret(options.password_env)
    except GrafanaRefused as refused:
        print(f"flyball: {refused}", file=sys.stderr)
        return 1
    bad = [name for name in (options.org, options.team or options.org) if not re.fullmatch(KeyStore.NAME_PATTERN, name)]
    if bad:
        print(f"flyball: {plain(bad[0])!r} is no name that an org or a team can have", file=sys.stderr)
        return 1
    for statement in viewer_roles(options.database) + viewer_user(options.org, options.team, password):
        print(f"{statement};")
    return 0


def _secret(name: str) -> str:
    value = environment().get(name, "").strip()
    if not value:
        raise GrafanaRefused(f"the environment variable {name} is not set")
    if not value.isascii() or not value.isprintable():
        raise GrafanaRefused(f"what {name} holds is no token: it has characters that none has")
    return value


def _address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise GrafanaRefused("--url must look like https://grafana.example.com")
    if parts.username or parts.password:
        raise GrafanaRefused("--url must not hold a user or password: the token says who you are")
    return url


def _clickhouse(options: argparse.Namespace) -> ClickHouse | None:
    """What a new data source would ask; None where that was not said."""
    if options.clickhouse_url is None:
        return None
    parts = urlsplit(options.clickhouse_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise GrafanaRefused(
            "--clickhouse-url must look like http://clickhouse:8123/flyball, without user and password"
        )
    if options.clickhouse_password_env is None:
        raise GrafanaRefused("--clickhouse-url needs --clickhouse-password-env")
    secure = parts.scheme == "https"
    return ClickHouse(
        host=parts.hostname,
        port=parts.port or (8443 if secure else 8123),
        secure=secure,
        database=unquote(parts.path.strip("/")) or "flyball",
        user=options.clickhouse_user,
        password=_secret(options.clickhouse_password_env),
    )


def _write_files(options: argparse.Namespace) -> int:
    with as_file(files("dashboards")) as package:
        for source, target in (("provisioned", "provisioning"), ("generated", "boards")):
            shutil.copytree(package / source, options.into / target, dirs_exist_ok=True)
    print(f"mount {options.into / 'provisioning'} at /etc/grafana/provisioning")
    print(f"mount {options.into / 'boards'} at /var/lib/grafana/dashboards/flyball")
    return 0
