"""cache: look whether a question of the same meaning was answered before (DESIGN §2)."""

import logging
from typing import TYPE_CHECKING, Final

from proxy.core.refusal import Refusal, Refused
from proxy.journey.caching.embed import look_from_afar
from proxy.journey.caching.question import question_of
from proxy.journey.caching.sought import Sought
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.wire.cache_control import NOTHING_SAID, read_cache_control

if TYPE_CHECKING:
    pass

HEADER: Final = b"x-flyball-similarity"
log = logging.getLogger("flyball.cache")
_CONTROL: Final = b"cache-control"
_DISABLED: Final = "disabled"
_MS: Final = 1000
_S: Final = 1_000_000_000


def seek(journey: Journey, rooms: Rooms) -> None:
    """Have it looked for beside everything else, where the call has a semantic cache.

    Raises:
        Refused: INVALID_REQUEST where the client's own threshold is none.
    """
    if journey.sought is not None and journey.sought.body is journey.body:
        return  # it was looked for already, to be served
    journey.sought = None
    semantic, resolution = rooms.semantic, journey.resolution
    if semantic is None or resolution is None or journey.recalled is not None:
        return
    org = journey.principal.org
    said = journey.call.headers.get(_CONTROL)
    control = NOTHING_SAID if said is None else read_cache_control(said)
    mode = journey.snapshot.caching.semantic_of(org, resolution.route)
    if mode == _DISABLED or control.no_store or control.no_cache:
        return
    asked = _asked(journey)
    question = question_of(journey, semantic.embedder.name, semantic.settings.share)
    if question is None:
        return
    threshold = max(asked, semantic.audits.threshold(org, resolution.route, semantic.settings.threshold))
    if semantic.remote is None:
        looking = semantic.look(question.partition, question.text, threshold, journey.call.arrived_ns)
    else:
        looking = look_from_afar(journey, semantic, question.partition, question.text, threshold, rooms)
    journey.sought = Sought(question.partition, question.text, journey.body, mode, looking)


def _asked(journey: Journey) -> float:
    """How alike the client wants texts to be at least; nothing where it says nothing.

    Raises:
        Refused: INVALID_REQUEST.
    """
    said = journey.call.headers.get(HEADER)
    if said is None:
        return 0.0
    try:
        asked = float(said)
    except ValueError:
        asked = -1.0
    if not 0 <= asked <= 1:
        raise Refused(
            Refusal.INVALID_REQUEST,
            "`x-flyball-similarity` must be a number from 0 to 1; it raises the threshold for this call.",
            param="x-flyball-similarity",
        )
    return asked
