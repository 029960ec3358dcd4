"""The routes of what is taken out of the caches."""

from typing import Final

from proxy.admin.desks.purges import list_purges, purge_cache
from proxy.admin.roles import Permission as May
from proxy.admin.route import Example, Route
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.purges import CachePurge, PurgeBody, PurgeQuery

PURGE_ROUTES: Final = (
    Route(
        method="POST",
        path="/cache/purges",
        permission=May.PURGE_CACHES,
        handler=purge_cache,
        body=PurgeBody,
        answer=CachePurge,
        status=201,
        example=Example(body={"target": "model:gpt-5", "org": "acme"}),
    ),
    Route(
        method="GET",
        path="/cache/purges",
        permission=May.READ_OPERATIONS,
        handler=list_purges,
        query=PurgeQuery,
        answer=Listing[CachePurge],
        row=CachePurge,
        example=Example(query="limit=20"),
    ),
)
