"""A Grafana's HTTP API with a memory, for `flyball grafana push`: after its documentation, with its statuses and words.

Roles of service accounts: an Editor writes folders, boards and alert rules and may not look at data sources; an Admin
may all; a Viewer reads. `writes` has every request that changed something.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

PLUGIN: Final = "grafana-clickhouse-datasource"
_VIEWER, _EDITOR, _ADMIN = 1, 2, 3
_ROLES: Final = {"Viewer": _VIEWER, "Editor": _EDITOR, "Admin": _ADMIN}
Answer = tuple[int, Any]


class ScriptedGrafana:
    """State and answers; `between` is called with method and path before each request is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.version = "11.6.4"
        self.roles = {"admin-token": "Admin", "editor-token": "Editor", "viewer-token": "Viewer"}
        self.plugins = {PLUGIN}
        self.folders: dict[str, dict[str, Any]] = {}
        self.sources: dict[str, dict[str, Any]] = {}
        self.boards: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.provisioned_boards: set[str] = set()
        self.writes: list[str] = []
        self.fixed: dict[str, tuple[int, Mapping[str, str], str]] = {}
        self.between: Callable[[str, str], None] = lambda method, path: None

    def answer(self, method: str, target: str, token: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """The status and JSON of one request."""
        path = urlsplit(target).path
        if path == "/api/health":
            return 200, {"database": "ok", "version": self.version, "commit": "abc"}
        role = _ROLES.get(self.roles.get(token, ""), 0)
        if not role:
            return 401, {"message": "Invalid API key", "traceID": ""}
        for pattern, verb, needs, act in self._routes():
            found = re.fullmatch(pattern, path)
            if found and verb == method:
                if role < needs:
                    return 403, {
                        "message": "You'll need additional permissions to perform this action.",
                        "title": "Access denied",
                    }
                status, told = act(*found.groups(), body, {**headers, "query": urlsplit(target).query})
                if method != "GET" and status < 300:
                    self.writes.append(f"{method} {path}")
                return status, told
        return 404, {"message": "Not found"}

    def _routes(self) -> list[tuple[str, str, int, Callable[..., Answer]]]:
        rules = "/api/v1/provisioning/alert-rules"
        return [
            (r"/api/folders", "GET", _VIEWER, self._list_folders),
            (r"/api/folders", "POST", _EDITOR, self._make_folder),
            (r"/api/plugins/([^/]+)/settings", "GET", _VIEWER, self._plugin),
            (
                r"/api/datasources/uid/([^/]+)",
                "GET",
                _ADMIN,
                lambda uid, *_: _found(self.sources, uid, "Data source not found"),
            ),
            (r"/api/datasources", "POST", _ADMIN, self._make_source),
            (r"/api/dashboards/uid/([^/]+)", "GET", _VIEWER, self._board),
            (r"/api/dashboards/db", "POST", _EDITOR, self._save_board),
            (rules + r"/([^/]+)", "GET", _VIEWER, lambda uid, *_: _found(self.rules, uid, "")),
            (rules, "POST", _EDITOR, self._make_rule),
            (rules + r"/([^/]+)", "PUT", _EDITOR, self._change_rule),
        ]

    def _list_folders(self, body: Any, headers: Mapping[str, str]) -> Answer:
        asked = parse_qs(headers["query"])
        size, page = int(asked["limit"][0]), int(asked["page"][0])
        return 200, list(self.folders.values())[size * (page - 1) : size * page]

    def _make_folder(self, body: Any, headers: Mapping[str, str]) -> Answer:
        if body["uid"] in self.folders:
            return 409, {"message": "a folder with the same uid already exists"}
        if not re.fullmatch(r"[a-zA-Z0-9\-_]{1,40}", body["uid"]):
            return 400, {"message": "uid contains illegal characters"}
        self.folders[body["uid"]] = {"id": len(self.folders) + 1, "uid": body["uid"], "title": body["title"]}
        return 200, {**self.folders[body["uid"]], "version": 1}

    def _plugin(self, name: str, body: Any, headers: Mapping[str, str]) -> Answer:
        if name not in self.plugins:
            return 404, {"message": "Plugin not found, no installed plugin with that id"}
        return 200, {"id": name, "info": {"version": "4.8.2"}}

    def _make_source(self, body: Any, headers: Mapping[str, str]) -> Answer:
        if any(each["name"] == body["name"] or each["uid"] == body["uid"] for each in self.sources.values()):
            return 409, {"message": "data source with the same name already exists"}
        self.sources[body["uid"]] = {**body, "id": len(self.sources) + 1}
        return 200, {"message": "Datasource added", "id": len(self.sources), "name": body["name"]}

    def _board(self, uid: str, body: Any, headers: Mapping[str, str]) -> Answer:
        if uid not in self.boards:
            return 404, {"message": "Dashboard not found"}
        stored = self.boards[uid]
        meta = {"folderUid": stored["folder"], "provisioned": uid in self.provisioned_boards}
        return 200, {"meta": meta, "dashboard": stored["board"]}

    def _save_board(self, body: Any, headers: Mapping[str, str]) -> Answer:
        board, folder = body["dashboard"], body.get("folderUid", "")
        stored = self.boards.get(board["uid"])
        if folder not in self.folders:
            return 400, {"message": "folder not found"}
        if board["uid"] in self.provisioned_boards:
            return 400, {"message": "Cannot save provisioned dashboard"}
        if stored is None and board["id"] is not None:
            return 404, {"message": "Dashboard not found", "status": "not-found"}
        if stored and not body["overwrite"] and board["version"] != stored["board"]["version"]:
            told = "The dashboard has been changed by someone else"
            return 412, {"message": told, "status": "version-mismatch"}
        version = stored["board"]["version"] + 1 if stored else 1
        number = stored["board"]["id"] if stored else len(self.boards) + 1
        self.boards[board["uid"]] = {"folder": folder, "board": {**board, "id": number, "version": version}}
        return 200, {"id": number, "uid": board["uid"], "status": "success", "version": version}

    def _make_rule(self, body: Any, headers: Mapping[str, str]) -> Answer:
        if body["folderUID"] not in self.folders:
            return 400, {"message": "invalid alert rule: folder does not exist"}
        if body["uid"] in self.rules or self._titled(body):
            return 409, {"message": "conflicting alert rule found [rule_uid: 'x', title: 'y'] (a conflict)"}
        self.rules[body["uid"]] = self._kept(body, headers)
        return 201, self.rules[body["uid"]]

    def _change_rule(self, uid: str, body: Any, headers: Mapping[str, str]) -> Answer:
        if uid not in self.rules:
            return 404, {"message": ""}
        before = self.rules[uid].get("provenance", "")
        if before and "x-disable-provenance" in headers:
            return 409, {"message": f"cannot change provenance from '{before}' to ''"}
        if before == "file":
            return 409, {"message": "alert rule is provisioned and cannot be changed"}
        self.rules[uid] = self._kept(body, headers)
        return 200, self.rules[uid]

    def _titled(self, rule: Any) -> bool:
        return any(
            (each["title"], each["folderUID"]) == (rule["title"], rule["folderUID"]) for each in self.rules.values()
        )

    def _kept(self, rule: Any, headers: Mapping[str, str]) -> dict[str, Any]:
        """A rule as Grafana answers with it: with fields of its own."""
        data = [{"queryType": "", **each} for each in rule["data"]]
        kept = {
            "isPaused": False,
            "keep_firing_for": "0s",
            "notification_settings": None,
            **rule,
            "data": data,
            "id": 7,
        }
        return kept if headers.get("x-disable-provenance") else {**kept, "provenance": "api"}


def _found(kept: Mapping[str, Any], uid: str, message: str) -> Answer:
    return (200, kept[uid]) if uid in kept else (404, {"message": message})


@contextmanager
def scripted_grafana() -> Iterator[ScriptedGrafana]:
    """One on this host, empty."""
    scripted = ScriptedGrafana()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = urlsplit(self.path).path
            scripted.between(self.command, path)
            if path in scripted.fixed:
                status, more, text = scripted.fixed[path]
            else:
                token = headers.get("authorization", "").removeprefix("Bearer ")
                status, told = scripted.answer(self.command, self.path, token, body, headers)
                more, text = {"content-type": "application/json"}, json.dumps(told)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_PUT = _serve

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        scripted.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield scripted
        finally:
            server.shutdown()
            thread.join()
