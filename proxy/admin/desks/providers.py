"""Providers: how well their models answer."""

from proxy.admin.call import Answer, Call
from proxy.admin.shapes.common import Listing
from proxy.admin.shapes.providers import show_target


def list_health(call: Call) -> Answer:
    """How well each target answers, as the workers of all hosts see it: those asked within a minute, and those that are
    left alone. A token that is bound to an org does not see it."""
    call.binding.require_all()
    shown = tuple(show_target(each) for each in call.rooms.health())
    return Answer(Listing(data=shown, has_more=False, next_page=None))
