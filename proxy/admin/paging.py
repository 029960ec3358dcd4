"""Pages of a list: an opaque text that says where the next one begins."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from proxy.admin.faults import Fault, Refusal
from proxy.admin.shapes.common import Listing

Record = TypeVar("Record")
Row = TypeVar("Row")


def page_after(*place: str) -> str:
    """The text for the page behind this place."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii").rstrip("=")


def place_of(page: str | None, parts: int) -> tuple[str, ...]:
    """The place that a page text means; empty texts when there is none.

    Raises:
        Refusal: INVALID_REQUEST when we have not given out such a text.
    """
    if page is None:
        return ("",) * parts
    try:
        place = msgspec.json.decode(urlsafe_b64decode(page + "=" * (-len(page) % 4)), type=tuple[str, ...])
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        place = ()
    if len(place) != parts:
        raise Refusal(Fault.INVALID_REQUEST, "page: is not a next_page of this list.", param="page")
    return place


def listing(
    found: Sequence[Record], limit: int, show: Callable[[Record], Row], place: Callable[[Record], tuple[str, ...]]
) -> Listing[Row]:
    """One page of what was found, when one more than `limit` was asked for to see whether there is more."""
    more = len(found) > limit
    shown = found[:limit]
    return Listing(
        data=tuple(show(each) for each in shown),
        has_more=more,
        next_page=page_after(*place(shown[-1])) if more else None,
    )
