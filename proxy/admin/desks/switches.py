"""Kill switches: set, listed, lifted."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Refusal
from proxy.admin.paging import listing, place_of
from proxy.admin.shapes.common import to_ns
from proxy.admin.shapes.switches import KillSwitch, SwitchBody, SwitchQuery, show_switch
from proxy.identity import IdentityError
from proxy.policy import BadTarget, Switch, SwitchKind, SwitchTarget, parse_target


def list_switches(call: Call) -> Answer:
    """The kill switches of what the token reaches and of everybody, the last set first, ended ones among them."""
    asked = call.query(SwitchQuery)
    (before,) = place_of(asked.page, 1)
    found = call.rooms.switch_store.newest(
        limit=asked.limit + 1,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None,
        org=call.binding.org,
        team=call.binding.team,
        is_on=None if asked.state is None else asked.state == "on",
    )
    now_ns = call.now_ns()
    return Answer(listing(found, asked.limit, lambda each: show_switch(each[1], now_ns), lambda each: (str(each[0]),)))


def get_switch(call: Call) -> Answer:
    """One kill switch by its id, while it is set with what about it may not be meant so."""
    found, now_ns = _seen(call), call.now_ns()
    return Answer(show_switch(found, now_ns, tuple(_warnings(call, found.target)) if found.is_on(now_ns) else ()))


def set_switch(call: Call) -> Answer:
    """Turn something off, on all hosts within two seconds: new calls of it are refused, its open streams end.

    What is off already is turned off once more; each kill switch is lifted by itself.
    """
    body = call.body(SwitchBody)
    try:
        target = parse_target(body.target)
    except BadTarget as error:
        raise Refusal(Fault.INVALID_REQUEST, f"target: {error}.", param="target") from None
    _require_rule(call, target)
    made = call.rooms.switch_store.set(
        target, reason=body.reason, by=call.identity.name, expires_ns=to_ns("expires_at", body.expires_at)
    )
    shown = show_switch(made, call.now_ns(), tuple(_warnings(call, target)))
    _audit(call, "kill_switch.set", None, shown)
    return Answer(shown, status=201)


def lift_switch(call: Call) -> Answer:
    """Let go on what a kill switch has turned off, unless another one turns it off too."""
    old = _seen(call)
    _require_rule(call, old.target)
    before = show_switch(old, call.now_ns())
    after = show_switch(call.rooms.switch_store.lift(old.id, by=call.identity.name), call.now_ns())
    _audit(call, "kill_switch.lift", before, after)
    return Answer(after)


def _seen(call: Call) -> Switch:
    found = call.rooms.switch_store.one(call.path["switch"])
    target = found.target
    if target.org is not None and not call.binding.sees(target.org, target.team):
        raise Refusal(Fault.NOT_FOUND, f"There is no kill switch {found.id}.")
    return found


def _require_rule(call: Call, target: SwitchTarget) -> None:
    """What is everybody's is turned off by those who are bound to no org."""
    if target.org is not None:
        call.binding.require_rule(target.org, target.team)
    elif call.binding.org is not None:
        message = f"{target.text} is everybody's, and this token is bound to {call.binding.org}."
        raise Refusal(Fault.OUTSIDE_BINDING, message, param="target")


def _audit(call: Call, action: str, before: KillSwitch | None, after: KillSwitch) -> None:
    call.audit(action, after.target, org=after.org, team=after.team, before=before, after=after)


def _warnings(call: Call, target: SwitchTarget) -> Iterator[str]:
    """What about a target may not be meant so; it is turned off all the same."""
    if not _is_known(call, target):
        yield f"nothing of the name {target.name} is known here; what comes under it later is off too"
    if call.rooms.observes_all() or target.org in call.rooms.key_store.observing():
        yield "its enforcement is observe, so it is only written down what would have been refused"


def _is_known(call: Call, target: SwitchTarget) -> bool:
    if target.kind is SwitchKind.PROVIDER:
        return target.name in call.rooms.configured().providers
    if target.kind is SwitchKind.MODEL:
        names = call.rooms.configured().models
        return any(fnmatchcase(name, target.name) or fnmatchcase(target.name, name) for name in names)
    if target.org is None:
        return True
    keys = call.rooms.key_store
    try:
        if target.kind is SwitchKind.KEY and target.team is not None:
            keys.named_key(target.org, target.team, target.name.rpartition("/")[2])
        elif target.team is not None:
            keys.team(target.org, target.team)
        else:
            keys.org(target.org)
    except IdentityError:
        return False
    return True
