"""What a provider shows of work that goes on: whether it is finished, and what it used."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from proxy.core.outcome import Outcome
from proxy.journey.rooms import Rooms
from proxy.ownership import Kept
from proxy.upstream import Provider, UpstreamFailed, UpstreamRequest
from proxy.wire.openai.batch import BATCH_TIER, line_usage

ENDED: Final = frozenset({"completed", "failed", "incomplete", "cancelled", "expired"})
LONGEST_LINE: Final = 16 * 1024 * 1024


class Work(Struct, frozen=True):
    """Work that is finished. `usages` are the provider's own objects, one for each part that it billed."""

    status: str
    usages: list[bytes]
    model: str = ""
    tier: str | None = None
    is_billed: bool = True
    """Whether something is billed though no usage is told."""

    @property
    def outcome(self) -> Outcome:
        """As a row says it."""
        if self.status == "cancelled":
            return Outcome.CANCELLED
        return Outcome.UPSTREAM_ERROR if self.status in ("failed", "expired") else Outcome.OK


class _Shown(Struct):
    status: str = ""
    model: str | None = None
    usage: Raw = Raw(b"")
    service_tier: str | None = None
    output_file_id: str | None = None


async def outputs_of(kept: Kept, answer: bytes, provider: Provider, rooms: Rooms) -> Work | None:
    """What became of an object's work, by the object as the provider shows it; None while it goes on.

    A batch is billed by its output file, line by line; where it has none, nothing was made.
    """
    try:
        shown = msgspec.json.decode(answer, type=_Shown)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if shown.status not in ENDED:
        return None
    usage = bytes(shown.usage)
    told = [usage] if usage[:1] == b"{" and len(usage) > 2 else []
    if kept.kind != "batch":
        is_billed = shown.status != "failed"
        return Work(shown.status, told, shown.model or "", shown.service_tier, is_billed)
    if not shown.output_file_id:
        return Work(shown.status, [], shown.model or "", BATCH_TIER, is_billed=False)
    lines = await _of_file(shown.output_file_id, provider, rooms)
    if lines is None:
        return None
    usages = [usage for _, usage in lines]
    model = next((model for model, _ in lines if model), shown.model or "")
    return Work(shown.status, usages, model, BATCH_TIER, is_billed=False)


async def _of_file(id: str, provider: Provider, rooms: Rooms) -> list[tuple[str, bytes]] | None:
    """Model and usage of each line of a batch's output; None where it cannot be had now."""
    request = UpstreamRequest(provider=provider, path=f"/files/{id}/content", body=b"", method="GET", streamed=True)
    found: list[tuple[str, bytes]] = []
    try:
        response = await rooms.transport.send(request)
    except UpstreamFailed:
        return None
    try:
        if response.status >= 300:
            return None
        rest = b""
        while (chunk := await response.chunk()) is not None:
            *lines, rest = (rest + chunk).split(b"\n")
            found += [usage for line in lines if (usage := line_usage(line)) is not None]
            if len(rest) > LONGEST_LINE:
                return None
        if (last := line_usage(rest)) is not None:
            found.append(last)
    except UpstreamFailed:
        return None
    finally:
        await response.close()
    return found
