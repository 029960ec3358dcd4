"""redact: what a policy wants nobody upstream to read is taken out of the call's messages, in place."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from proxy.core.refusal import Refusal, Refused
from proxy.journey.ask import tell_decision
from proxy.journey.find import is_quick, looked_through, undetected
from proxy.journey.observe import refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Duties, Finder, PolicyUnavailable, Unredactable
from proxy.wire.dialects import dialect_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.texts import said, with_texts

UNREDACTABLE: Final = "unredactable"


class Redaction(NamedTuple):
    """A body without what was to be taken out, how often each kind was, and how many parts hold no text."""

    body: bytes
    taken: Mapping[str, int]
    unread: int


async def redact(journey: Journey, duties: Duties, rooms: Rooms) -> bool:
    """Put `[EMAIL]` and its like in place of what was found; whether anything was.

    Raises:
        Refused: POLICY_DENIED where it cannot be known that all of it is out, DEPENDENCY_UNAVAILABLE where nobody
            could look.
    """
    finder, endpoint = journey.snapshot.finder, journey.call.endpoint
    try:
        if is_quick(finder, journey.body):
            done = redacted(finder, endpoint, journey.body, duties.redact)
        else:
            done = await asyncio.to_thread(redacted, finder, endpoint, journey.body, duties.redact)
    except Unredactable as error:
        _refuse(journey, str(error))
        return False
    except PolicyUnavailable as error:
        raise undetected(error) from error
    if done.unread and not duties.passes_unread:
        _refuse(journey, "The policy has this request redacted, and images, files, audio and token ids cannot be.")
    if not done.taken:
        return False
    journey.body = done.body
    if journey.found is not None:
        journey.found = await looked_through(finder, endpoint, done.body)
    journey.say(f"redacted by policy: {', '.join(f'{kind} {count}' for kind, count in sorted(done.taken.items()))}")
    journey.mark("findings", rooms.clock.monotonic_ns())
    return True


def redacted(finder: Finder, endpoint: Endpoint, body: bytes, names: Collection[str]) -> Redaction:
    """The body without what is of these kinds or categories; every byte beside that stays, and a second look finds
    nothing of them any more.

    Raises:
        Unredactable: something always is, or there is more text than is looked at.
        PolicyUnavailable: a detector failed.
    """
    texts = dialect_of(endpoint).texts_in(endpoint, body)
    redactor = finder.redactor(names)
    changes = []
    for text in texts.parts:
        if edits := redactor.edits(text.role, said(body, text)):
            changes.append((text, edits))
    taken = Counter(edit.label.strip("[]").lower() for _, edits in changes for edit in edits)
    return Redaction(with_texts(body, changes) if changes else body, taken, texts.unread)


def _refuse(journey: Journey, message: str) -> None:
    """An obligation that cannot be met is no permission to go on without it; another try would fare no better.

    Raises:
        Refused: POLICY_DENIED, unless that is only observed.
    """
    observes = journey.snapshot.budgets.observes(journey.principal.org)
    no = Decision(allow=False, revision=journey.snapshot.policy.revision, denials=(Denial(UNREDACTABLE, message),))
    journey.decision = no
    facts = {"rule": UNREDACTABLE, "revision": no.revision}
    if journey.asked is not None:
        tell_decision(journey.asked, no, observes=observes)
        facts |= {"point": journey.asked.point, "decision": journey.asked.decision_id}
    refuse_unless_observed(journey, Refused(Refusal.POLICY_DENIED, message, facts=facts, by=f"policy/{UNREDACTABLE}"))
