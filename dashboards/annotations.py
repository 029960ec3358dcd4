"""What happened, drawn across all panels: changes from the audit trail, and providers' outages."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder
from grafana_foundation_sdk.models import dashboard as models

from dashboards.clickhouse_target import SOURCE, ClickHouseTarget
from dashboards.sql.attempts import attempts
from dashboards.sql.names import named
from dashboards.sql.query import rows_of
from dashboards.sql.sources import IS_LONG

MOST: Final = 200
LEAST_REQUESTS: Final = 10
_CHANGES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "Budget edits": ("blue", (
            "budget.put", "budget.delete", "budget.raise", "budget.end_raise",
            "limit.put", "limit.delete", "limit.raise", "limit.end_raise",
        )),
        "Price versions": ("purple", ("prices.take",)),
        "Policy promotions": ("green", ("policy.promote", "policy.rollback")),
        "Key rotations": ("yellow", ("key.rotate", "key.revoke")),
    }
)  # fmt: skip
OUTAGES: Final = "Provider outages"


def _of_the_trail(actions: tuple[str, ...]) -> str:
    """An entry that several hosts shipped is one."""
    listed = ", ".join(f"'{action}'" for action in actions)
    return f"""SELECT DISTINCT r.at AS time, concat(action, ' ', subject, ' by ', actor) AS text, action AS tags
FROM audit AS r
WHERE $__timeFilter(r.at)
  AND action IN ({listed})
  AND (r.org = '' OR $__conditionalAll(r.org IN (${{org:singlequote}}), $org))
ORDER BY time DESC, text
LIMIT {MOST}"""


_OUTAGES: Final = f"""SELECT if({IS_LONG}, toDateTime(toDate(at), 'UTC'), toStartOfTenMinutes(at)) AS time,
  concat({named("provider")}, ': ', toString(failed), ' of ', toString(total), ' requests failed') AS text,
  {named("provider")} AS tags, sum(attempts) AS total,
  sumIf(attempts, outcome = 'truncated' OR outcome = 'upstream_error' AND (status = 0 OR status >= 500)) AS failed
{attempts("provider", "outcome", "status", "attempts")}
GROUP BY time, provider
HAVING total >= {LEAST_REQUESTS} AND failed * 2 > total
ORDER BY time DESC, tags
LIMIT {MOST}"""

ANNOTATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {**{name: _of_the_trail(actions) for name, (_, actions) in _CHANGES.items()}, OUTAGES: _OUTAGES}
)
"""The query behind each: when it was, what it was, and a tag."""


class _Target(models.AnnotationTarget):
    """The plugin's query where the SDK knows that of Grafana's own annotations only."""

    def __init__(self, sql: str) -> None:
        super().__init__()
        self._query = ClickHouseTarget(rows_of(sql), "Anno")

    def to_json(self) -> dict[str, object]:
        """What stands in an annotation's `target`."""
        return self._query.to_json()


class _TargetBuilder(builder.Builder[models.AnnotationTarget]):
    """Puts it into an annotation's builder."""

    def __init__(self, sql: str) -> None:
        self._target = _Target(sql)

    def build(self) -> models.AnnotationTarget:
        """The query as the SDK takes it."""
        return self._target


def every_annotation() -> list[dashboard.AnnotationQuery]:
    """The annotations of a board; each can be turned off at its top."""
    colors = {name: color for name, (color, _) in _CHANGES.items()} | {OUTAGES: "red"}
    return [
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(True)
        .icon_color(colors[name])
        .target(_TargetBuilder(sql))
        for name, sql in ANNOTATIONS.items()
    ]
