"""The routes of providers."""

from typing import Final

from proxy.admin.desks.providers import list_health
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.providers import TargetHealth

PROVIDER_ROUTES: Final = (
    Route(
        method="GET",
        path="/providers/health",
        permission=May.READ_PROVIDERS,
        handler=list_health,
        answer=Listing[TargetHealth],
        row=TargetHealth,
        example=Example(),
    ),
)
