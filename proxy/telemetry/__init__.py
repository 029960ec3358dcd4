"""Rows on their way to ClickHouse and back: the spool, the collector with the embedded ClickHouse, the reader.

`__all__` is what one starts with; the other names are the types those give and take.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from proxy.telemetry.backups import NotEmpty as NotEmpty
from proxy.telemetry.backups import back_up as back_up
from proxy.telemetry.backups import restore as restore
from proxy.telemetry.comparing import CompareQuery as CompareQuery
from proxy.telemetry.comparing import Comparison as Comparison
from proxy.telemetry.comparing import Mover as Mover
from proxy.telemetry.correcting import Corrections as Corrections
from proxy.telemetry.correcting import lines_of as lines_of
from proxy.telemetry.corrections import NAMES as NAMES
from proxy.telemetry.corrections import CorrectedQuery as CorrectedQuery
from proxy.telemetry.corrections import CorrectedRow as CorrectedRow
from proxy.telemetry.corrections import CorrectionRow as CorrectionRow
from proxy.telemetry.corrections import RecordedCost as RecordedCost
from proxy.telemetry.corrections import RepriceQuery as RepriceQuery
from proxy.telemetry.corrections import Stretch as Stretch
from proxy.telemetry.corrections import Used as Used
from proxy.telemetry.counted import CountedQuery as CountedQuery
from proxy.telemetry.counted import CountedRow as CountedRow
from proxy.telemetry.decided import DecisionsQuery as DecisionsQuery
from proxy.telemetry.decided import decision_cursor as decision_cursor
from proxy.telemetry.erasing import NOT_REACHED as NOT_REACHED
from proxy.telemetry.erasing import Erased as Erased
from proxy.telemetry.erasing import erase_user as erase_user
from proxy.telemetry.exporting import EXPORTED as EXPORTED
from proxy.telemetry.exporting import Export as Export
from proxy.telemetry.exporting import export_parquet as export_parquet
from proxy.telemetry.keeping import Partition as Partition
from proxy.telemetry.keeping import plan_retention as plan_retention
from proxy.telemetry.lag import behind as behind
from proxy.telemetry.observed import Observed as Observed
from proxy.telemetry.observed import ObservedQuery as ObservedQuery
from proxy.telemetry.observed import WouldRefuse as WouldRefuse
from proxy.telemetry.otel.names import PROVIDERS as PROVIDERS
from proxy.telemetry.otel.names import Server as Server
from proxy.telemetry.otel.switch import otel_is_on as otel_is_on
from proxy.telemetry.otel.switch import otel_problems as otel_problems
from proxy.telemetry.panel import PanelQuery as PanelQuery
from proxy.telemetry.panel import PanelRows as PanelRows
from proxy.telemetry.proofs import digest_of as digest_of
from proxy.telemetry.proofs import hash_of_segment as hash_of_segment
from proxy.telemetry.proofs import head_of_segments as head_of_segments
from proxy.telemetry.reader import OperationDetail as OperationDetail
from proxy.telemetry.reader import Reader
from proxy.telemetry.reader import cursor as cursor
from proxy.telemetry.rows import AttemptRow, OperationRow
from proxy.telemetry.rows import AuditRow as AuditRow
from proxy.telemetry.rows import BudgetStateRow as BudgetStateRow
from proxy.telemetry.rows import DecisionRow as DecisionRow
from proxy.telemetry.rows import PipelineStateRow as PipelineStateRow
from proxy.telemetry.rows import PriceRow as PriceRow
from proxy.telemetry.rows import SegmentRow as SegmentRow
from proxy.telemetry.rows import Table as Table
from proxy.telemetry.rows import ToolCallRow as ToolCallRow
from proxy.telemetry.running import Endpoints as Endpoints
from proxy.telemetry.running import run_collector
from proxy.telemetry.runs import RunEnd as RunEnd
from proxy.telemetry.runs import RunIdentity as RunIdentity
from proxy.telemetry.runs import RunsQuery as RunsQuery
from proxy.telemetry.runs import RunTotals as RunTotals
from proxy.telemetry.runs import run_cursor as run_cursor
from proxy.telemetry.salvaging import Recorded as Recorded
from proxy.telemetry.salvaging import SalvagedRows as SalvagedRows
from proxy.telemetry.salvaging import abandoned as abandoned
from proxy.telemetry.salvaging import salvage as salvage
from proxy.telemetry.searching import EVERYTHING as EVERYTHING
from proxy.telemetry.searching import OperationSearch as OperationSearch
from proxy.telemetry.settings import TelemetrySettings
from proxy.telemetry.spend import SpendBucket as SpendBucket
from proxy.telemetry.spend import SpendQuery
from proxy.telemetry.spend import SpendRow as SpendRow
from proxy.telemetry.spend_file import FileFormat as FileFormat
from proxy.telemetry.spool import Spool
from proxy.telemetry.stages import kept_stages as kept_stages
from proxy.telemetry.store import StoreAddress as StoreAddress
from proxy.telemetry.store import StoreRefused as StoreRefused
from proxy.telemetry.store import TelemetryUnavailable as TelemetryUnavailable
from proxy.telemetry.store import store_address as store_address
from proxy.telemetry.terms import PaidCalls as PaidCalls
from proxy.telemetry.terms import Side as Side
from proxy.telemetry.terms import Term as Term
from proxy.telemetry.variants import ServedVersion as ServedVersion
from proxy.telemetry.variants import VariantsQuery as VariantsQuery
from proxy.telemetry.variants import VariantTotals as VariantTotals

if TYPE_CHECKING:
    from proxy.telemetry.otel.export import OtelExport as OtelExport
else:

    def __getattr__(name: str) -> object:
        """`OtelExport`, when it is first asked for: OpenTelemetry is an optional dependency."""
        if name != "OtelExport":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("proxy.telemetry.otel.export").OtelExport


__all__ = ["AttemptRow", "OperationRow", "Reader", "SpendQuery", "Spool", "TelemetrySettings", "run_collector"]
