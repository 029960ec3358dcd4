"""The parts under the pages: escaping, the chart's geometry, the ranking, the sessions."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from proxy.admin.console.chart import Series, Slot, stacked_bars
from proxy.admin.console.first_call import FirstCall, curl
from proxy.admin.console.markup import Html, el, join
from proxy.admin.console.ranking import MOST_COLOURS, OTHER, lines
from proxy.admin.console.readings import SpendSeen, Sum
from proxy.admin.console.sessions import MOST_SESSIONS, ConsoleSessions
from proxy.core.clock import SetClock
from proxy.core.money import ZERO, Nano

NOW = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True)
class Ada:
    name: str = "ada"
    role: str = "viewer"
    org: str | None = None
    team: str | None = None


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    made = el("a", "<b>&", Html("<i>ok</i>"), 3, None, href='"><script>', aria_label="it's", hidden=True, id=None)
    assert made.text == (
        '<a href="&quot;&gt;&lt;script&gt;" aria-label="it&#x27;s" hidden>&lt;b&gt;&amp;<i>ok</i>3</a>'
    )
    assert join("<", [el("br"), el("td", class_="num")]).text == '&lt;<br><td class="num"></td>'


def test_bars_stack_without_gaps_and_end_on_the_axis() -> None:
    slots = [Slot("09:00", "nine"), Slot("10:00", "ten")]
    lines = [Series("a", "c0", [Nano(30), Nano(0)]), Series("b", "c1", [Nano(10), Nano(0)])]
    drawn = stacked_bars("Spend", slots, lines).text
    bars = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%" y="([\d.]+)" height="([\d.]+)" class="bar (c\d)"', drawn)
    (ax, aw, ay, ah, _), (bx, _, by, bh, _) = bars
    assert len(bars) == 2 and ax == bx and float(ax) + float(aw) < 50
    assert float(ay) + float(ah) == 272 and abs(float(by) + float(bh) - float(ay)) < 0.011
    assert abs(float(ah) / float(bh) - 3) < 0.01
    assert drawn.count("<g ") == 2 and "nine" in drawn and 'aria-label="Spend"' in drawn


def test_the_dearest_names_get_colours_and_the_others_share_one() -> None:
    names = [Sum(name=f"m{index:02}", cost=Nano(1000 - index), calls=1) for index in range(12)]
    series = {one.name: {NOW: one.cost} for one in names[:MOST_COLOURS]}
    whole = Nano(sum(one.cost for one in names))
    seen = SpendSeen(whole=Sum(cost=whole), names=names, slots={NOW: whole}, series=series, earlier=ZERO)
    drawn = lines(seen, [NOW])
    assert [one.name for one in drawn] == [*(f"m{index:02}" for index in range(8)), OTHER]
    assert drawn[-1].colour == "rest" and drawn[-1].amounts[0] == sum(1000 - index for index in range(8, 12))
    assert sum(one.amounts[0] for one in drawn) == whole


def test_no_name_is_said_to_be_none_and_no_rest_is_drawn_where_there_is_none() -> None:
    five = Nano(5)
    seen = SpendSeen(
        whole=Sum(cost=five), names=[Sum(cost=five)], slots={NOW: five}, series={"": {NOW: five}}, earlier=ZERO
    )
    assert [(one.name, list(one.amounts)) for one in lines(seen, [NOW])] == [("(none)", [5])]


def test_the_command_to_paste_survives_odd_model_names() -> None:
    told = curl(FirstCall(base_url="http://x/v1", model="it's $HOME"))
    assert """'"'"'s $HOME""" in told and "http://x/v1/chat/completions" in told


def test_sessions_are_bounded_hashed_and_end_with_their_person() -> None:
    sessions = ConsoleSessions(SetClock(NOW))
    first = sessions.open(Ada()).cookie.reveal()
    last = ""
    for _ in range(MOST_SESSIONS):
        last = sessions.open(Ada()).cookie.reveal()
    assert sessions.find(first) is None
    found = sessions.find(last)
    assert found is not None and found.identity.name == "ada"
    link = sessions.make_link(Ada()).reveal()
    sessions.close_all_of("ada")
    assert sessions.find(last) is None and sessions.redeem(link) is None


def test_two_sessions_have_different_cookies_and_form_tokens() -> None:
    sessions = ConsoleSessions(SetClock(NOW))
    one, two = sessions.open(Ada()), sessions.open(Ada())
    assert one.cookie != two.cookie and one.session.form_token != two.session.form_token
    assert sessions.find("") is None and sessions.find("\udcff") is None
