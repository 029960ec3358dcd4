"""The routes of spend, as the one table takes them."""

from typing import Final

from proxy.admin.desks.compare import compare_spend
from proxy.admin.desks.spend import MEDIA, read_spend
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.compare import CompareBody, SpendComparison
from proxy.admin.shapes.spend import SpendGroup, SpendQueryBody

SPEND_ROUTES: Final = (
    Route(
        method="GET",
        path="/spend",
        permission=May.READ_SPEND,
        handler=read_spend,
        query=SpendQueryBody,
        answer=Listing[SpendGroup],
        row=SpendGroup,
        files=tuple(MEDIA.values()),
        example=Example(
            query="start_time=1793491200&end_time=1796083200&bucket_width=1d"
            "&group_by[]=model&group_by[]=tag:env&org=acme&tag=env%3Dprod"
        ),
    ),
    Route(
        method="GET",
        path="/spend/compare",
        permission=May.READ_SPEND,
        handler=compare_spend,
        query=CompareBody,
        answer=SpendComparison,
        example=Example(
            query="start_time=1794873600&end_time=1794960000&vs_start_time=1794268800&vs_end_time=1794355200"
            "&org=acme&by=model"
        ),
    ),
)
