"""The settings that the read-only user may give with a request: what clients send by themselves, and tighter bounds.

`readonly = 1` takes none at all, and then clickhouse-go, and with it Grafana, cannot even connect: it tells its
deadline as `max_execution_time`. So these few are set before the session becomes read-only; all others are refused.
"""

from collections.abc import Mapping
from typing import Final

_BOUNDS: Final = frozenset({"max_execution_time", "max_memory_usage", "max_result_bytes", "max_threads"})
_TIGHTER: Final = frozenset({"limit", "max_result_rows", "max_rows_to_read", "max_bytes_to_read", "max_block_size"})
_HARMLESS: Final = frozenset(
    {
        "offset", "log_comment", "session_timezone", "join_use_nulls", "group_by_use_nulls", "extremes",
        "date_time_output_format", "prefer_column_name_to_alias", "union_default_mode", "use_query_cache",
    }
)  # fmt: skip
_HARMLESS_PREFIXES: Final = ("output_format_",)


class SettingRefused(ValueError):
    """A setting that is not for the read-only user, or whose value is none."""


def permitted(asked: Mapping[str, str], standing: Mapping[str, str]) -> dict[str, str]:
    """What of the settings asked for is set; a bound is never wider than the standing one.

    Raises:
        SettingRefused: one that a reader may not set.
    """
    return {name: _value(name, value, standing) for name, value in asked.items()}


def _value(name: str, value: str, standing: Mapping[str, str]) -> str:
    if name in _BOUNDS:
        bound = int(standing[name])
        # 0 means without a bound.
        return str(min(_number(name, value) or bound, bound))
    if name in _TIGHTER:
        return str(_number(name, value))
    if name in _HARMLESS or name.startswith(_HARMLESS_PREFIXES):
        return value
    raise SettingRefused(f"Cannot modify '{name}' setting in readonly mode")


def _number(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise SettingRefused(f"{name} must be a whole number, not {value[:40]!r}")
    return int(value)
