"""The tools that models called."""

from typing import Final

from dashboards.sql.names import DIMENSIONS, TAG, chosen, of_calls

_CHOSEN: Final = "\n    AND ".join([*chosen(DIMENSIONS), of_calls(TAG)[TAG]])


def tool_calls(*columns: str) -> str:
    """`FROM (…)`: calls of tools one by one, by when the call came in whose answer they stand in."""
    told = ", ".join(["r.called_at AS at", *(f"r.{name} AS {name}" for name in columns)])
    return f"FROM (\n  SELECT {told}\n  FROM tool_calls AS r\n  WHERE $__timeFilter(r.called_at)\n    AND {_CHOSEN}\n)"
