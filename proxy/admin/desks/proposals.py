"""Policies by the API: proposed by one person, tried on every call, promoted by another."""

import asyncio
from typing import Final

import msgspec

from proxy.admin.call import Answer, Call
from proxy.admin.faults import Fault, Problem, Refusal
from proxy.admin.headers import ANY, NOT_YET
from proxy.admin.rooms import PolicySource
from proxy.admin.shapes.common import Deleted
from proxy.admin.shapes.policies import CandidateBody, Policies, ProposedSet, ShadowFigures, show_set, show_whole
from proxy.core.clock import utc
from proxy.policy import BadPolicy, PolicySet, ProposalError, Proposals, ProposalStore, of_upload, problems_of
from proxy.telemetry import TelemetryUnavailable

CANDIDATE: Final = "policies/candidate"
_FAULTS: Final = {
    "too_large": Fault.REQUEST_TOO_LARGE,
    "missing": Fault.NOT_FOUND,
    "changed": Fault.PRECONDITION_FAILED,
    "own": Fault.OWN_REQUEST,
}


async def get_policies(call: Call) -> Answer:
    """What decides and where it comes from, what is proposed, and how many of its shadow decisions differ."""
    found = await asyncio.to_thread(_store(call).load)
    shown = await asyncio.to_thread(_shown, call, found)
    if found.candidate is None:
        return Answer(shown)
    try:
        made, differ = await call.rooms.reader.shadowed(
            found.candidate.bundle.revision, utc(found.candidate.proposed_ns)
        )
    except TelemetryUnavailable:
        # Who is to promote or to go back must not have to wait for a store of what was.
        return Answer(shown)
    return Answer(msgspec.structs.replace(shown, shadow=ShadowFigures(decisions=made, differ=differ)))


def get_candidate(call: Call) -> Answer:
    """The candidate with all that is in it: what to read before it is promoted."""
    found = _candidate(_store(call).load())
    return Answer(show_whole(found), tag=found.bundle.revision)


def put_candidate(call: Call) -> Answer:
    """Propose a whole set of policies: it is loaded beside what decides, on all hosts, and its decisions are written
    down as shadows. It takes the place of an earlier candidate."""
    store, source = _changing(call)
    if source.by_file == "policy.url":
        raise Refusal(Fault.MANAGED_BY_FILE, "An OPA server decides (policy.url); nothing can be tried beside it.")
    body = call.body(CandidateBody)
    try:
        bundle = of_upload(body.modules, body.data, base=source.base)
        problems = problems_of(bundle)
    except BadPolicy as error:
        problems = error.problems
    if problems:
        told = [Problem("modules", problem) for problem in problems]
        raise Refusal(Fault.INVALID_REQUEST, f"These policies cannot be loaded: {problems[0]}", problems=told)
    old = store.load().candidate
    _expect(call, old)
    with _Faults():
        made = store.propose(bundle, by=call.identity.name)
    _audit(call, "policy.propose", old, made)
    return Answer(show_set(made), tag=made.bundle.revision)


def discard_candidate(call: Call) -> Answer:
    """Take the candidate back."""
    store, _ = _changing(call)
    old = _candidate(store.load())
    _expect(call, old)
    with _Faults():
        store.discard()
    _audit(call, "policy.discard", old, None)
    return Answer(Deleted(id="candidate", object="policy_set"))


def promote_candidate(call: Call) -> Answer:
    """Make the candidate what decides, on all hosts; by another person than has proposed it, who says by If-Match
    what they have looked at."""
    store, source = _changing(call)
    if source.by_file:
        message = f"Policies are named in flyball.yaml ({source.by_file}); change them there."
        raise Refusal(Fault.MANAGED_BY_FILE, message)
    found = store.load()
    expected = call.condition.tag
    if expected in (None, ANY, NOT_YET):
        message = "If-Match: state the candidate's ETag, so that nothing else is promoted than you have looked at."
        raise Refusal(Fault.INVALID_REQUEST, message, param="if-match")
    with _Faults():
        made = store.promote(by=call.identity.name, revision=expected)
    _audit(call, "policy.promote", found.active, made)
    return Answer(_shown(call, store.load()))


def roll_back(call: Call) -> Answer:
    """Let what decided before the last promotion decide again, at once and by one person."""
    store, _ = _changing(call)
    before = store.load().active
    with _Faults():
        now = store.roll_back(by=call.identity.name)
    _audit(call, "policy.rollback", before, now.active)
    return Answer(_shown(call, now))


class _Faults:
    """Around the store: what it cannot do is refused in the words of the API."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProposalError):
            raise Refusal(_FAULTS[error.fault], f"{str(error)[:1].upper()}{str(error)[1:]}.") from None


def _shown(call: Call, found: Proposals) -> Policies:
    source = call.rooms.policy_source()
    return Policies(
        managed_by="file" if source.by_file else "api",
        source=source.source,
        revision=source.revision,
        bundle=source.bundle,
        error=source.error,
        active=None if found.active is None else show_set(found.active),
        candidate=None if found.candidate is None else show_set(found.candidate),
        previous=None if found.previous is None else show_set(found.previous),
    )


def _store(call: Call) -> ProposalStore:
    if call.rooms.proposals is None:
        raise Refusal(Fault.PATH_NOT_FOUND, "This server keeps no policies.")
    if call.binding.org is not None:
        raise Refusal(
            Fault.OUTSIDE_BINDING, f"Policies are everybody's, and this token is bound to {call.binding.org}."
        )
    return call.rooms.proposals


def _changing(call: Call) -> tuple[ProposalStore, PolicySource]:
    return _store(call), call.rooms.policy_source()


def _candidate(found: Proposals) -> PolicySet:
    if found.candidate is None:
        raise Refusal(Fault.NOT_FOUND, "There is no candidate.")
    return found.candidate


def _expect(call: Call, old: PolicySet | None) -> None:
    """What If-Match or If-None-Match asks for."""
    expected = call.condition.tag
    there = None if old is None else old.bundle.revision
    if expected is None or (expected == ANY and there) or (expected == NOT_YET and not there) or expected == there:
        return
    raise Refusal(Fault.PRECONDITION_FAILED, f"The candidate is {there or 'not there'}.", param="if-match")


def _audit(call: Call, action: str, before: PolicySet | None, after: PolicySet | None) -> None:
    shapes: list[ProposedSet | None] = [None if each is None else show_set(each) for each in (before, after)]
    call.audit(action, CANDIDATE, org=None, before=shapes[0], after=shapes[1])
