"""A ClickHouse engine as one of its users: what users.d and the row policies say is what it does.

The engine is embedded and knows one user, `default`, so that the user who is looked at takes that one's place in the
configuration; `currentUser()` in a row policy is therefore put in as a text.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring


class Refused(Exception):
    """What the engine said instead of an answer."""


class ClickHouseAs:
    """The engine over the store in `folder` for the user that `user` describes, an element of users.xml."""

    def __init__(self, folder: Path, user: Element, profiles: Element) -> None:
        told = folder.parent / f"as-{user.tag}"
        told.mkdir(exist_ok=True)
        (told / "users.xml").write_bytes(_users(user, profiles))
        where = f"<user_directories><users_xml><path>{told / 'users.xml'}</path></users_xml></user_directories>"
        (told / "config.xml").write_text(f"<clickhouse>{where}</clickhouse>")
        command = [sys.executable, str(Path(__file__).with_name("engine_as.py")), str(folder), str(told / "config.xml")]
        secrets = ("CLICKHOUSE_PASSWORD", "CLICKHOUSE_FLYBALL_PASSWORD", "CLICKHOUSE_GRAFANA_PASSWORD")
        environment = {**os.environ, **dict.fromkeys(secrets, "")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> "ClickHouseAs":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def query(self, sql: str) -> list[list[Any]]:
        """The rows, or Refused."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(sql) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        rows: list[list[Any]] = answer["rows"]
        return rows


def _users(user: Element, profiles: Element) -> bytes:
    root = Element("clickhouse")
    root.append(profiles)
    SubElement(SubElement(root, "quotas"), "default")
    place = SubElement(SubElement(root, "users"), "default")
    place.extend(list(user))
    return tostring(root)
