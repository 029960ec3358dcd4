"""redact: what a policy wants nobody upstream to read is taken out of the call's messages, in place."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from proxy.core.refusal import Refusal, Refused
from proxy.journey.ask import tell_decision
from proxy.journey.find import INLINE_BYTES, looked_through
from proxy.journey.observe import refuse_unless_observed
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.policy import Decision, Denial, Duties, Finder, TooTangled, kinds_of
from proxy.wire.endpoint import Endpoint
from proxy.wire.openai.texts import said, texts_in, with_texts

UNREDACTABLE: Final = "unredactable"


class Redaction(NamedTuple):
    """A body without what was to be taken out, how often each kind was, and how many parts hold no text."""

    body: bytes
    taken: Mapping[str, int]
    unread: int


async def redact(journey: Journey, duties: Duties, rooms: Rooms) -> bool:
    """Put `[EMAIL]` and its like in place of what was found; whether anything was.

    Raises:
        Refused: POLICY_DENIED where it cannot be known that all of it is out.
    """
    snapshot, endpoint, kinds = journey.snapshot, journey.call.endpoint, kinds_of(duties.redact)
    try:
        if len(journey.body) <= INLINE_BYTES:
            done = redacted(snapshot.finder, endpoint, journey.body, kinds)
        else:
            done = await asyncio.to_thread(redacted, snapshot.finder, endpoint, journey.body, kinds)
    except TooTangled:
        _refuse(journey, "This request cannot be redacted as the policy wants it; send less text, or plainer text.")
        return False
    if done.unread and not duties.passes_unread:
        _refuse(journey, "The policy has this request redacted, and images, files, audio and token ids cannot be.")
    if not done.taken:
        return False
    journey.body = done.body
    if journey.found is not None:
        journey.found = await looked_through(snapshot.finder, endpoint, done.body)
    journey.say(f"redacted by policy: {', '.join(f'{kind} {count}' for kind, count in sorted(done.taken.items()))}")
    journey.mark("findings", rooms.clock.monotonic_ns())
    return True


def redacted(finder: Finder, endpoint: Endpoint, body: bytes, kinds: Collection[str]) -> Redaction:
    """The body without what is of these kinds; every byte beside that stays. Nothing of them is found in it any more.

    Raises:
        TooTangled: something always is, or there is more text than is looked at.
    """
    texts = texts_in(endpoint, body)
    redactor = finder.redactor(kinds)
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
