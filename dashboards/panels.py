"""The kinds of panels that boards are made of, and the units of their numbers."""

from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.models import common as styles
from grafana_foundation_sdk.models import dashboard as models

from dashboards.clickhouse_target import SOURCE, Target
from dashboards.sql.query import Query

USD: Final = "currencyUSD"
COUNT: Final = "locale"
SHARE: Final = "percentunit"
MILLIS: Final = "ms"
QUARTER_HOUR: Final = "15m"
MINUTE: Final = "1m"
_BAD: Final = 1.0


class _Panel(Protocol):
    """What the builders of all kinds of panels have in common."""

    def id(self, id_val: int, /) -> object: ...
    def title(self, title: str, /) -> object: ...
    def description(self, description: str, /) -> object: ...
    def datasource(self, datasource: models.DataSourceRef, /) -> object: ...
    def with_target(self, target: Target, /) -> object: ...
    def span(self, w: int, /) -> object: ...
    def height(self, h: int, /) -> object: ...
    def build(self) -> models.Panel: ...


P = TypeVar("P", bound=_Panel)


@dataclass(frozen=True, slots=True)
class Column:
    """How a column of a table is shown: its heading, its unit, and where a click on it leads."""

    shown: str
    unit: str = COUNT
    link: str = ""
    width: int = 0

    def properties(self) -> list[models.DynamicConfigValue]:
        """The column's overrides as Grafana keeps them."""
        told = {"displayName": self.shown, "unit": self.unit}
        properties = [models.DynamicConfigValue(id_val=name, value=value) for name, value in told.items()]
        if self.width:
            properties.append(models.DynamicConfigValue(id_val="custom.width", value=self.width))
        if self.link:
            link = {"title": "Open in the console", "url": self.link, "targetBlank": True}
            properties.append(models.DynamicConfigValue(id_val="links", value=[link]))
        return properties


def text(shown: str) -> Column:
    """A column of names."""
    return Column(shown, "string")


def usd(shown: str) -> Column:
    """A column of dollars."""
    return Column(shown, USD)


def moment(shown: str) -> Column:
    """A column of moments."""
    return Column(shown, "dateTimeAsIso", width=170)


def operation(shown: str = "Call") -> Column:
    """A column of operations' ids, each of which opens its page in the console."""
    return Column(shown, "string", link="${console}/console/operations/${__value.raw:percentencode}")


def run(shown: str = "Run") -> Column:
    """A column of runs, each of which opens its page in the console."""
    return Column(shown, "string", link="${console}/console/runs/${__value.raw:percentencode}")


def decision(shown: str = "Decision") -> Column:
    """A column of decisions' ids, each of which opens its page in the console."""
    return Column(shown, "string", link="${console}/console/decisions/${__value.raw:percentencode}")


def _placed(panel: P, number: int, title: str, query: Query, about: str, *, span: int, height: int) -> P:
    panel.id(number)
    panel.title(title)
    if about:
        panel.description(about)
    panel.datasource(SOURCE)
    panel.with_target(Target(query))
    panel.span(span)
    panel.height(height)
    return panel


def _steps(red_from: float | None) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(value=None, color="text")]
    if red_from is not None:
        steps.append(models.Threshold(value=red_from, color="red"))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def stat_of(
    number: int,
    title: str,
    query: Query,
    unit: str = COUNT,
    *,
    about: str = "",
    span: int = 3,
    decimals: int | None = None,
    red_from: float | None = None,
) -> stat.Panel:
    """One number, large; in red from `red_from` on, on a red ground where one is too many."""
    last = common.ReduceDataOptions().calcs(["lastNotNull"])
    panel = stat.Panel().reduce_options(last).graph_mode(styles.BigValueGraphMode.NONE).no_value("–").unit(unit)
    if decimals is not None:
        panel.decimals(decimals)
    if red_from == _BAD:
        panel.color_mode(styles.BigValueColorMode.BACKGROUND)
    panel.thresholds(_steps(red_from))
    return _placed(panel, number, title, query, about, span=span, height=4)


def bars(
    number: int, title: str, query: Query, unit: str = COUNT, *, about: str = "", span: int = 12, every: str = MINUTE
) -> timeseries.Panel:
    """Sums over time, stacked; `every` is the shortest time that a bar may stand for."""
    legend = (
        common.VizLegendOptions()
        .display_mode(styles.LegendDisplayMode.TABLE)
        .placement(styles.LegendPlacement.RIGHT)
        .show_legend(True)
        .calcs(["sum"])
    )
    panel = (
        timeseries.Panel()
        .draw_style(styles.GraphDrawStyle.BARS)
        .fill_opacity(80)
        .line_width(0)
        .stacking(common.StackingConfig().mode(styles.StackingMode.NORMAL))
        .legend(legend)
        .tooltip(common.VizTooltipOptions().mode(styles.TooltipDisplayMode.MULTI).sort(styles.SortOrder.DESCENDING))
        .interval(every)
        .unit(unit)
        .min(0)
    )
    return _placed(panel, number, title, query, about, span=span, height=9)


def lines(
    number: int, title: str, query: Query, unit: str = COUNT, *, about: str = "", span: int = 12
) -> timeseries.Panel:
    """Values over time, each for itself."""
    panel = timeseries.Panel().line_width(2).fill_opacity(8).unit(unit).min(0).interval(MINUTE)
    panel.tooltip(common.VizTooltipOptions().mode(styles.TooltipDisplayMode.MULTI).sort(styles.SortOrder.DESCENDING))
    return _placed(panel, number, title, query, about, span=span, height=9).show_points(styles.VisibilityMode.AUTO)


def table_of(
    number: int, title: str, query: Query, columns: dict[str, Column], *, about: str = "", span: int = 24
) -> table.Panel:
    """Rows and columns; Grafana can download them as CSV (Inspect, Data)."""
    panel = _placed(table.Panel().filterable(True), number, title, query, about, span=span, height=9)
    for name, column in columns.items():
        panel.override_by_name(name, column.properties())
    return panel
