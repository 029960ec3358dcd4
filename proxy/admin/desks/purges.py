"""What is taken out of the caches."""

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.purges import PurgeBody, PurgeQuery, show_purge
from proxy.cache import BadPurge


def list_purges(call: Call) -> Answer:
    """The last purges, of the token's org and of everybody; of each target the newest."""
    asked = call.query(PurgeQuery)
    (before,) = place_of(asked.page, 1)
    found = call.rooms.purge_store.newest(asked.limit + 1, call.binding.org, before)
    return Answer(listing(found, asked.limit, show_purge, lambda each: (each.id,)))


def purge_cache(call: Call) -> Answer:
    """Take answers out of all caches of all hosts, within a second: those made until now are given to nobody."""
    body = call.body(PurgeBody)
    org = body.org if body.org is not None else call.binding.org
    if org is not None:
        call.binding.require_rule(org)
    try:
        made = call.rooms.purge_store.purge(body.target, org=org or "", by=call.identity.name)
    except BadPurge as error:
        raise Refusal(Fault.INVALID_REQUEST, f"target: {error}.", param="target") from None
    shown = show_purge(made)
    call.audit("cache.purge", made.target, org=org, team=None, before=None, after=shown)
    return Answer(shown, status=201)
