"""Spend as one file that ClickHouse writes itself: CSV or Parquet, with columns named as they were asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from proxy.core.usage import Bucket
from proxy.telemetry.spend import Select, SpendQuery, select_spend

FileFormat: TypeAlias = Literal["csv", "parquet"]
FORMATS: Final[dict[FileFormat, str]] = {"csv": "CSVWithNames", "parquet": "Parquet"}
"""What ClickHouse calls them."""


@dataclass(frozen=True, slots=True)
class _ColumnName:
    """The name of a column as a parameter: ClickHouse takes it as it is, so that the client must not escape it."""

    name: str

    def __str__(self) -> str:
        return self.name


_SUMS: Final = (
    ("calls", "sum_calls"),
    ("unpriced_calls", "sum_unpriced"),
    ("refused_calls", "sum_refused"),
    ("cost_usd", "sum_cost"),
    ("list_usd", "sum_list"),
    *((f"{bucket.value}_tokens", f"sum_{bucket.value}_tokens") for bucket in Bucket),
)


def select_spend_file(asked: SpendQuery, names: Sequence[str]) -> Select:
    """The SQL of a spend question whose groups are shown under `names`, one for each name in `group_by`.

    `start_time` is the start of a bucket in UTC (of the whole span for `all`); money is Decimal dollars.

    Raises:
        Refused: as `select_spend`.
    """
    inner = select_spend(asked)
    parameters = {**inner.parameters, **{f"name{number}": _ColumnName(name) for number, name in enumerate(names)}}
    started = (
        "toDateTime(toDateTime64({start:Decimal(18, 3)}, 3), 'UTC')"
        if asked.bucket == "all"
        else "toDateTime(bucket, 'UTC')"
    )
    columns = [
        f"{started} AS start_time",
        # Compressed dictionaries would not be read by every reader of Parquet.
        *(f"toString(g{number}) AS {{name{number}:Identifier}}" for number in range(len(names))),
        *(f"{source} AS {shown}" for shown, source in _SUMS),
    ]
    return Select(sql=f"SELECT {', '.join(columns)} FROM ({inner.sql})", parameters=parameters)  # noqa: S608 - closed lists
