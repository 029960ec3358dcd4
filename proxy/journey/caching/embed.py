"""The vector of a question, asked of a provider beside the call and on the organisation's overhead account."""

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

import msgspec

from proxy.core.outcome import Purpose
from proxy.journey.errands.errand import Errand, Returned, start_errand
from proxy.journey.rooms import Rooms
from proxy.journey.state import Journey
from proxy.routing import Candidate
from proxy.wire.endpoint import Endpoint

if TYPE_CHECKING:
    from proxy.cache import SemanticCache, SemanticSight


class _Item(msgspec.Struct):
    embedding: list[float]


class _Embeddings(msgspec.Struct):
    data: list[_Item]


def look_from_afar(
    journey: Journey, semantic: "SemanticCache", partition: bytes, text: str, threshold: float, rooms: Rooms
) -> "Future[SemanticSight | None]":
    """Ask for the vector, then look for what asks the same; None of it is a failure of either."""
    made: Future[SemanticSight | None] = Future()
    if semantic.remote is None:
        raise ValueError("vectors are made here")
    model = semantic.remote.settings
    errand = Errand(
        purpose=Purpose.CACHE_EMBED,
        org=journey.principal.org,
        candidate=Candidate(model.provider, model.model),
        endpoint=Endpoint.EMBEDDINGS,
        body=msgspec.json.encode({"model": model.model, "input": text, "encoding_format": "float"}),
    )
    task = start_errand(errand, rooms)
    if task is None:
        made.set_result(None)
        return made

    def came(done: "asyncio.Task[Returned]") -> None:
        numbers = None if done.cancelled() else _numbers(done.result())
        if numbers is None:
            made.set_result(None)
            return
        looking = semantic.look(partition, text, threshold, journey.call.arrived_ns, numbers)
        looking.add_done_callback(lambda found: made.set_result(None if found.cancelled() else found.result()))

    task.add_done_callback(came)
    return made


def _numbers(returned: Returned) -> list[float] | None:
    if returned.failure:
        return None
    try:
        return msgspec.json.decode(returned.body, type=_Embeddings).data[0].embedding
    except (msgspec.DecodeError, IndexError):
        return None
