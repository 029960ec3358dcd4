"""What an empty page says: the one command that fills it."""

import json
import shlex
from dataclasses import dataclass

from proxy.admin.console.markup import Html, el
from proxy.admin.console.shell import card


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstCall:
    """How a first call is made here: the base URL, a model that is served, and a shell text that gives the key."""

    base_url: str = "http://127.0.0.1:4000/v1"
    model: str = "gpt-5-mini"
    key: str = "$FLYBALL_KEY"


def curl(first: FirstCall) -> str:
    """A command to paste into a shell."""
    body = json.dumps({"model": first.model, "messages": [{"role": "user", "content": "Say hello"}]})
    return (
        f"curl {shlex.quote(first.base_url + '/chat/completions')} \\\n"
        f'  -H "Authorization: Bearer {first.key}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}"
    )


def first_call_card(first: FirstCall, period: str) -> Html:
    """Nothing to show for this period, and how to change that."""
    command = el("pre", el("code", curl(first), id="first-call"), tabindex="0", aria_label="Command")
    copy = el("button", "Copy", type="button", data_copy="first-call", hidden=True, class_="quiet")
    return card(
        "No calls yet",
        el(
            "p",
            f"Nothing passed through in the {period}. Point any OpenAI SDK at ",
            el("code", first.base_url),
            " or paste this; a few seconds later it stands here.",
        ),
        el("div", command, copy, class_="command"),
        name="empty",
    )
