"""What alerts say, in words, to webhooks and to Slack; and their signatures against the specification's own example."""

import json
from typing import Any

import pytest

from proxy.budget.alerts.alert import Alert
from proxy.budget.alerts.messages import MOST_BYTES, body_for, percent, sentence
from proxy.budget.alerts.signing import signed, signing_keys
from proxy.budget.ledger import LineKind, Unit
from proxy.core.money import ZERO, Nano

AT_NS = 1_795_168_800 * 10**9


def alert(**changes: Any) -> Alert:
    values: dict[str, Any] = {
        "id": "alr_1",
        "at_ns": AT_NS,
        "kind": "alert",
        "subject": LineKind.BUDGET,
        "budget": "month",
        "org": "acme",
        "scope": "org:acme",
        "window": "2026-11",
        "resets_at_ns": 1_796_079_600 * 10**9,
        "unit": Unit.USD,
        "fraction_millionths": 800_000,
        "limit": Nano(500 * 10**9),
        "spent": Nano(401 * 10**9),
        "held": ZERO,
        "overrun": ZERO,
        "hard": True,
    }
    return Alert(**{**values, **changes})


UNTIL = "in 2026-11, which ends at 2026-11-30T23:00:00Z"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"The budget month of org:acme has reached 80 % of 500.00 USD: 401.00 USD spent {UNTIL}."),
        (
            {"kind": "throttle", "held": Nano(10**9), "fraction_millionths": 805_000},
            "The budget month of org:acme has reached 80.5 % of 500.00 USD: 401.00 USD spent and 1.00 USD held "
            f"{UNTIL}. From here on calls are delayed.",
        ),
        (
            {"kind": "block", "fraction_millionths": 1_000_000},
            "The budget month of org:acme refused a call that did not fit under 100 % of 500.00 USD: "
            f"401.00 USD spent {UNTIL}.",
        ),
        (
            {"kind": "block", "fraction_millionths": 1_000_000, "limit": Nano(401 * 10**9), "resets_at_ns": None},
            "The budget month of org:acme has reached 100 % of 401.00 USD: 401.00 USD spent in total. "
            "Calls that do not fit are refused, where enforcement is on.",
        ),
        (
            {"kind": "overrun", "overrun": Nano(2 * 10**9), "fraction_millionths": 0},
            "The budget month of org:acme: bills came to 2.00 USD more than was held for them. "
            f"401.00 USD of 500.00 USD are spent {UNTIL}.",
        ),
        (
            {
                "subject": LineKind.RATE,
                "unit": Unit.SLOTS,
                "limit": Nano(10),
                "spent": ZERO,
                "held": Nano(8),
                "resets_at_ns": None,
            },
            "The rate limit month of org:acme has reached 80 % of 10 slots: 0 slots spent and 8 slots held.",
        ),
    ],
)
def test_sentences(changes: dict[str, Any], said: str) -> None:
    assert sentence(alert(**changes)) == said


def test_a_webhook_says_what_the_admin_api_says() -> None:
    said = json.loads(body_for("webhook", alert(unit=Unit.OUTPUT_TOKENS, subject=LineKind.RATE, spent=Nano(7))))
    assert (said["type"], said["timestamp"]) == ("rate_limit.alert", "2026-11-20T10:00:00Z")
    data = said["data"]
    assert (data["rate_limit"], data["spent_tokens"], data["fraction"], data["unit"]) == (
        "month",
        7,
        "0.8",
        "output_tokens",
    )
    assert "budget" not in data and "spent_usd" not in data


def test_names_cannot_be_markup_nor_fill_a_message() -> None:
    awkward = alert(scope="user:acme/<!channel>&" + "ü" * 3000, budget="b" * 128)
    slack = body_for("slack", awkward)
    assert b"<!channel>" not in slack and b"&lt;!channel&gt;&amp;" in slack
    for block in json.loads(slack)["blocks"]:
        assert len(block.get("text", {}).get("text", "")) <= 3000
        assert all(len(each["text"]) <= 2000 for each in block.get("fields", []))
    assert len(slack) <= MOST_BYTES
    assert len(body_for("webhook", awkward)) <= MOST_BYTES


@pytest.mark.parametrize(
    ("millionths", "text"), [(800_000, "80 %"), (1_000_000, "100 %"), (5_000, "0.5 %"), (1, "0.0001 %")]
)
def test_percents(millionths: int, text: str) -> None:
    assert percent(millionths) == text


def test_the_signature_is_that_of_the_published_example() -> None:
    # From the specification's "Signature scheme" and its libraries' tests.
    (key,) = signing_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    assert signed([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize("text", ["whsec_", "whsec_c2hvcnQ=", "whsec_not base64 at all", "whsec_" + "A" * 400])
def test_a_secret_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a signing secret is"):
        signing_keys(text)
