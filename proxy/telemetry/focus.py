"""Spend as the FinOps Foundation's FOCUS 1.2 has it: one row for what a key used of a model on a day.

Source of the rules: the FOCUS specification 1.2 (focus.finops.org); docs/spend.md says how each column is filled. Unit
prices are left out: a row sums tokens of several prices, and no unit price times a quantity would be its exact cost.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from proxy.core.usage import Bucket
from proxy.telemetry.spend import TAG, Select, SpendQuery, select_spend

VERSION: Final = "1.2"
_BY: Final = ("org", "team", "key", "provider", "model", "agent", "cost_center")
_TOKENS: Final = " + ".join(f"sum_{bucket.value}_tokens" for bucket in Bucket)
_MONTH: Final = "toStartOfMonth(toDateTime(bucket, 'UTC'), {timezone:String})"
_CORRECTION: Final = "sum_calls = 0"
"""Money without calls can only be a correction of calls before."""


def _at(date: str) -> str:
    """The midnight of a local date, told in UTC."""
    return f"toTimeZone(toDateTime({date}, {{timezone:String}}), 'UTC')"


def _known(text: str) -> str:
    return f"nullIf({text}, '')"


_COLUMNS: Final = (
    ("BilledCost", "sum_cost"),
    ("BillingAccountId", "org"),
    ("BillingAccountName", "org"),
    ("BillingAccountType", "'Organization'"),
    ("BillingCurrency", "'USD'"),
    ("BillingPeriodEnd", _at(f"addMonths({_MONTH}, 1)")),
    ("BillingPeriodStart", _at(_MONTH)),
    ("ChargeCategory", "'Usage'"),
    ("ChargeClass", f"if({_CORRECTION}, 'Correction', NULL)"),
    ("ChargeDescription", "concat('Calls to ', model, ' by ', org, '/', team, '/', key)"),
    ("ChargeFrequency", "'Usage-Based'"),
    ("ChargePeriodEnd", _at("addDays(toDate(toDateTime(bucket, 'UTC'), {timezone:String}), 1)")),
    ("ChargePeriodStart", "toDateTime(bucket, 'UTC')"),
    ("ConsumedQuantity", f"if({_CORRECTION}, NULL, quantity)"),
    ("ConsumedUnit", f"if({_CORRECTION}, NULL, unit)"),
    ("ContractedCost", "sum_cost"),
    ("EffectiveCost", "sum_cost"),
    ("InvoiceIssuerName", "provider"),
    ("ListCost", "sum_list"),
    ("PricingCategory", "'Standard'"),
    ("PricingCurrency", "'USD'"),
    ("PricingQuantity", f"if({_CORRECTION}, NULL, quantity)"),
    ("PricingUnit", f"if({_CORRECTION}, NULL, unit)"),
    ("ProviderName", "provider"),
    ("PublisherName", "provider"),
    ("ResourceId", "concat(org, '/', team, '/', key)"),
    ("ResourceName", _known("key")),
    ("ResourceType", "'API key'"),
    ("ServiceCategory", "'AI and Machine Learning'"),
    ("ServiceName", "concat(provider, ' API')"),
    ("ServiceSubcategory", "'Generative AI'"),
    ("SkuId", "concat(provider, '/', model)"),
    ("SkuMeter", "unit"),
    ("SkuPriceId", "concat(provider, '/', model)"),
    ("SubAccountId", "if(team = '', NULL, concat(org, '/', team))"),
    ("SubAccountName", _known("team")),
    ("SubAccountType", "if(team = '', NULL, 'Team')"),
    ("x_Calls", "sum_calls"),
    ("x_UnpricedCalls", "sum_unpriced"),
    *((f"x_{bucket.value.title().replace('_', '')}Tokens", f"sum_{bucket.value}_tokens") for bucket in Bucket),
)
"""Every column but `Tags`, and what it is made of."""


def select_focus(asked: SpendQuery, tags: Sequence[str]) -> Select:
    """The SQL of the export of a span: by days of the question's time zone, with the named tags beside agent and cost
    center in `Tags`. The question's bucket and groups are not looked at.

    Raises:
        Refused: as `select_spend`.
    """
    names = (*_BY, *(f"{TAG}{tag}" for tag in tags))
    inner = select_spend(replace(asked, bucket="day", group_by=names))
    parameters = dict(inner.parameters)
    pairs = ["'agent'", "agent", "'cost_center'", "cost_center"]
    for number, tag in enumerate(tags):
        parameters[f"shown{number}"] = tag
        pairs += [f"{{shown{number}:String}}", f"toString(g{len(_BY) + number})"]
    told = f"toJSONString(mapFilter((name, value) -> value != '', map({', '.join(pairs)})))"
    shown = [f"{source} AS {column}" for column, source in _COLUMNS]
    named = [f"toString(g{number}) AS {name}" for number, name in enumerate(_BY) if name != "provider"]
    named.append(f"if(g{_BY.index('provider')} = '', 'unknown', toString(g{_BY.index('provider')})) AS provider")
    named.append(f"{_TOKENS} AS tokens, if(tokens > 0, 'Tokens', 'Requests') AS unit")
    named.append("toDecimal128(if(tokens > 0, tokens, sum_calls), 0) AS quantity")
    sql = (
        f"SELECT {', '.join(shown)}, {told} AS Tags"  # noqa: S608 - closed lists only
        f" FROM (SELECT *, {', '.join(named)} FROM ({inner.sql})"
        " WHERE sum_cost != 0 OR sum_list != 0 OR tokens > 0)"
    )
    return Select(sql=sql, parameters=parameters)
