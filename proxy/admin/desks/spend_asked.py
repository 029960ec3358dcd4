"""What the questions about spend have in common: which calls, within reach of who asks."""

from collections.abc import Iterable, Sequence
from typing import Final

from proxy.admin.call import Call
from proxy.admin.faults import Problem
from proxy.admin.shapes.spend import DIMENSIONS, SpendFilters

_IN_STORE: Final = {"end_user": "user"}
TAG: Final = "tag:"


def in_store(names: Iterable[str]) -> tuple[str, ...]:
    """The names of dimensions as the store calls them."""
    return tuple(_IN_STORE.get(name, name) for name in names)


def bad_tags(tags: Sequence[str]) -> list[Problem]:
    """Tags that are not written as they must be."""
    return [Problem(f"tag[{at}]", "is written name=value") for at, tag in enumerate(tags) if not tag.partition("=")[1]]


def filters_within(call: Call, asked: SpendFilters) -> dict[str, tuple[str, ...]]:
    """The filters in the store's words, the team of who asks among them; the org goes apart.

    Raises:
        Refusal: OUTSIDE_BINDING for an org or team that is out of reach.
    """
    filters: dict[str, tuple[str, ...]] = {
        _IN_STORE.get(name, name): values for name in DIMENSIONS if (values := getattr(asked, name))
    }
    for tag in asked.tag:
        name, _, value = tag.partition("=")
        filters[f"{TAG}{name}"] = (*filters.get(f"{TAG}{name}", ()), value)
    for org in asked.org:
        call.binding.narrowed(org, None)
    for team in asked.team:
        call.binding.narrowed(None, team)
    if call.binding.team is not None:
        filters["team"] = (call.binding.team,)
    return filters
