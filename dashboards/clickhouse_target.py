"""The Grafana ClickHouse plugin's query, which the foundation SDK does not know, made known to it."""

from collections.abc import Mapping
from typing import Any, Final

from grafana_foundation_sdk.cog import builder, runtime, variants
from grafana_foundation_sdk.models import dashboard as models

from dashboards.datasource import PLUGIN, PLUGIN_VERSION, UID
from dashboards.sql.query import Query

SOURCE: Final = models.DataSourceRef(type_val=PLUGIN, uid=UID)
# The plugin's own numbers for how an answer is read.
_FORMATS: Final[Mapping[str, int]] = {"timeseries": 0, "table": 1}


class ClickHouseTarget(variants.Dataquery):
    """One raw SQL query in the shape the plugin stores since its version 4."""

    def __init__(self, query: Query, ref_id: str = "A") -> None:
        self.query = query
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        """What stands in a panel's `targets`."""
        return {
            "datasource": SOURCE.to_json(),
            "editorType": "sql",
            "format": _FORMATS[self.query.shape],
            "meta": {},
            "pluginVersion": PLUGIN_VERSION,
            "queryType": self.query.shape,
            "rawSql": self.query.sql,
            "refId": self.ref_id,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ClickHouseTarget":
        """Read back what `to_json` wrote."""
        return cls(Query(data["rawSql"], data["queryType"]), data["refId"])


class Target(builder.Builder[variants.Dataquery]):
    """Puts a query into a panel builder."""

    def __init__(self, query: Query) -> None:
        self._target = ClickHouseTarget(query)

    def build(self) -> variants.Dataquery:
        """The query as the SDK takes it."""
        return self._target


def register() -> None:
    """Teach the SDK to read boards with such queries back."""
    config = runtime.DataqueryConfig(identifier=PLUGIN, from_json_hook=ClickHouseTarget.from_json)
    runtime.register_dataquery_variant(config)
