"""What is charged to whom for a month: negotiated adjustments, and statements that never change once made.

`__all__` is what one starts with; the other names are the types those give and take.
"""

from proxy.billing.adjustments import Adjustment as Adjustment
from proxy.billing.adjustments import Adjustments
from proxy.billing.amounts import Amounts as Amounts
from proxy.billing.amounts import Place as Place
from proxy.billing.drafting import Draft as Draft
from proxy.billing.drafting import billed, drift, statements_of
from proxy.billing.faults import BillingError
from proxy.billing.period import Period
from proxy.billing.statement import Correction as Correction
from proxy.billing.statement import Negotiated as Negotiated
from proxy.billing.statement import Statement as Statement
from proxy.billing.statement import Usage as Usage
from proxy.billing.statement import hash_of as hash_of
from proxy.billing.statements import Standing as Standing
from proxy.billing.statements import Statements

__all__ = ["Adjustments", "BillingError", "Period", "Statements", "billed", "drift", "statements_of"]
