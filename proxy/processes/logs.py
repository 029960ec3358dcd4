"""Logs as JSON lines on standard error, one object each, with the operation id where there is one."""

import logging
import sqlite3
import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from proxy.core.clock import utc

STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
MAX_FRAMES: Final = 40
SAID_BY_THE_SYSTEM: Final = (OSError, sqlite3.Error)
"""Faults whose message comes from the system or the database; any other one may quote what a client sent."""


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object; extra fields stand beside the message."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields: dict[str, Any] = {
            "at": utc(int(record.created * 1e9)).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": _message(record),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            fields["traceback"] = "\n".join(_told(record.exc_info[1]))
        try:
            return msgspec.json.encode(fields, enc_hook=str).decode()
        except UnicodeEncodeError:
            return msgspec.json.encode({name: _writable(value) for name, value in fields.items()}).decode()


def start_logging(process: str, level: str = "INFO") -> None:
    """Send this process's logs to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel("WARNING")


def _message(record: logging.LogRecord) -> str:
    said = record.getMessage()
    # asyncio adds the task's repr, which quotes the fault; the fault stands beside it, told by us.
    return said.partition("\n")[0] if record.name == "asyncio" else said


def _told(fault: BaseException) -> Iterator[str]:
    """A fault and what led to it: kinds and places, and no message that could hold a secret or a prompt."""
    seen: set[int] = set()
    why: BaseException | None = fault
    while why is not None and id(why) not in seen:
        seen.add(id(why))
        said = f": {why}" if isinstance(why, SAID_BY_THE_SYSTEM) else ""
        yield f"{type(why).__module__}.{type(why).__qualname__}{said}"
        for frame in traceback.extract_tb(why.__traceback__, -MAX_FRAMES):
            yield f"  {frame.filename}:{frame.lineno} {frame.name}"
        why = why.__cause__ or (None if why.__suppress_context__ else why.__context__)


def _writable(value: object) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
