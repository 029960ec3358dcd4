"""The steps of `flyball grafana push`: each looks first, and changes only what is not as it should be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from dashboards.alerts import RULES
from dashboards.datasource import PLUGIN, datasource
from dashboards.provisioning import FOLDER_TITLE, FOLDER_UID, GROUP, alert_rule
from dashboards.shipped import shipped_boards
from proxy import __version__
from proxy.cli.grafana.api import Grafana, GrafanaRefused

_FORBIDDEN: Final = 403
_RULES: Final = "/api/v1/provisioning/alert-rules"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClickHouse:
    """The ClickHouse that a new data source asks."""

    host: str
    port: int
    secure: bool
    database: str
    user: str
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    folder: str
    source: str
    clickhouse: ClickHouse | None
    anomaly_usd: int | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, or would be, about one thing."""

    what: str
    name: str
    done: str


def push(grafana: Grafana, wanted: Wanted) -> Iterator[Step]:
    """Everything in its order, a step at a time.

    Raises:
        GrafanaRefused: a step was refused; those before it stand.
    """
    folder, made = _folder(grafana, wanted)
    yield made
    yield _source(grafana, wanted)
    for uid, board in shipped_boards(wanted.source).items():
        yield _board(grafana, wanted, uid, board, folder)
    for uid in RULES:
        yield _rule(grafana, wanted, uid, folder)


def _folder(grafana: Grafana, wanted: Wanted) -> tuple[str, Step]:
    """The folder's uid. One that is there may be named by uid or title."""
    for each in grafana.folders():
        if wanted.folder in (each["uid"], each["title"]):
            return each["uid"], Step("folder", each["title"], "unchanged")
    uid = FOLDER_UID if wanted.folder == FOLDER_TITLE else _slug(wanted.folder)
    if not wanted.dry_run:
        doing = f"make the folder {wanted.folder!r}"
        uid = grafana.send("POST", "/api/folders", {"uid": uid, "title": wanted.folder}, doing)["uid"]
    return uid, Step("folder", wanted.folder, "created")


def _slug(title: str) -> str:
    """A uid out of a title, as Grafana takes it: 40 characters of a small alphabet."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40] or FOLDER_UID


def _source(grafana: Grafana, wanted: Wanted) -> Step:
    _look_for_plugin(grafana)
    try:
        found = grafana.found(f"/api/datasources/uid/{quote(wanted.source, safe='')}", "look at the data source")
    except GrafanaRefused as refused:
        if refused.status != _FORBIDDEN:
            raise
        return Step("data source", wanted.source, "not looked at: the token may not read data sources")
    if found is None:
        return _make_source(grafana, wanted)
    if found["type"] != PLUGIN:
        raise GrafanaRefused(f"the data source {wanted.source} is a {found['type']}, not a {PLUGIN}; name another one")
    return Step("data source", wanted.source, "unchanged")


def _look_for_plugin(grafana: Grafana) -> None:
    try:
        plugin = grafana.found(f"/api/plugins/{PLUGIN}/settings", "look for the plugin")
    except GrafanaRefused as refused:
        if refused.status != _FORBIDDEN:  # who may not look at plugins may still push
            raise
        return
    if plugin is None:
        raise GrafanaRefused(f"the plugin {PLUGIN} is missing there: grafana cli plugins install {PLUGIN}")


def _make_source(grafana: Grafana, wanted: Wanted) -> Step:
    clickhouse = wanted.clickhouse
    if clickhouse is None:
        raise GrafanaRefused(
            f"there is no data source with the uid {wanted.source}: name an existing one by --datasource UID, or say "
            "what a new one asks by --clickhouse-url and --clickhouse-password-env"
        )
    if not wanted.dry_run:
        body = datasource(
            clickhouse.host,
            clickhouse.port,
            clickhouse.user,
            clickhouse.password,
            database=clickhouse.database,
            secure=clickhouse.secure,
        )
        grafana.send("POST", "/api/datasources", {**body, "uid": wanted.source}, "make the data source")
    return Step("data source", wanted.source, "created")


def _board(grafana: Grafana, wanted: Wanted, uid: str, board: Mapping[str, Any], folder: str) -> Step:
    title = board["title"]
    found = grafana.found(f"/api/dashboards/uid/{uid}", f"look at the board {title!r}")
    stored = {} if found is None else found["dashboard"]
    if found and _bare(stored) == _bare(board) and found["meta"].get("folderUid", "") == folder:
        return Step("board", title, "unchanged")
    if found and found["meta"].get("provisioned"):
        raise GrafanaRefused(
            f"the board {title!r} is loaded from provisioning files there, and can only be changed by them"
        )
    if not wanted.dry_run:
        body = {
            "dashboard": {**board, "id": stored.get("id"), "version": stored.get("version", 0)},
            "folderUid": folder,
            "message": f"flyball {__version__}",
            "overwrite": False,
        }
        grafana.send("POST", "/api/dashboards/db", body, f"save the board {title!r}")
    return Step("board", title, "updated" if found else "created")


def _bare(board: Mapping[str, Any]) -> dict[str, Any]:
    """A board without what Grafana counts by itself."""
    return {name: value for name, value in board.items() if name not in ("id", "version")}


def _rule(grafana: Grafana, wanted: Wanted, uid: str, folder: str) -> Step:
    rule = {**alert_rule(RULES[uid], source=wanted.source), "folderUID": folder, "ruleGroup": GROUP, "orgID": 1}
    if uid == "flyball-spend-anomaly" and wanted.anomaly_usd is not None:
        rule["data"][1]["model"]["conditions"][0]["evaluator"]["params"] = [wanted.anomaly_usd]
    doing = f"save the alert rule {rule['title']!r}"
    found = grafana.found(f"{_RULES}/{uid}", f"look at the alert rule {rule['title']!r}")
    if found is None:
        if not wanted.dry_run:
            grafana.send("POST", _RULES, rule, doing, {"x-disable-provenance": "true"})
        return Step("alert rule", rule["title"], "created")
    # Which org a token is of is not ours to say, and who paused a rule wants it paused.
    rule |= {"orgID": found.get("orgID", 1), "isPaused": found.get("isPaused", False)}
    if _holds(found, rule):
        return Step("alert rule", rule["title"], "unchanged")
    if found.get("provenance") == "file":
        raise GrafanaRefused(f"to {doing}: it is loaded from provisioning files there, and can only be changed by them")
    if not wanted.dry_run:
        own = {} if found.get("provenance") else {"x-disable-provenance": "true"}
        grafana.send("PUT", f"{_RULES}/{uid}", rule, doing, own)
    return Step("alert rule", rule["title"], "updated")


def _holds(stored: Any, ours: Any) -> bool:
    """Whether all that we say stands there; Grafana adds fields of its own."""
    if isinstance(ours, dict):
        return isinstance(stored, dict) and all(_holds(stored.get(name), value) for name, value in ours.items())
    if isinstance(ours, list):
        alike = isinstance(stored, list) and len(stored) == len(ours)
        return alike and all(_holds(one, other) for one, other in zip(stored, ours, strict=True))
    return bool(stored == ours)
