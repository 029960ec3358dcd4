"""Budgets and runs in a real browser: worked with the keyboard, told to screen readers, drawn where the numbers say."""

import pytest
from playwright.sync_api import expect

from proxy.admin.console.figures import share, usd
from proxy.core.money import Nano
from tests.browser.conftest import Browse
from tests.browser.seeded_console import Site

pytestmark = pytest.mark.browser


def test_every_bar_is_as_long_as_its_numbers(site: Site, browse: Browse) -> None:
    page = browse("budgets")
    shape = site.ask("/budgets/acme-cap")
    item = page.locator(".budget", has=page.get_by_role("link", name="acme-cap", exact=True))
    box = {
        kind: item.locator(f".meter .{kind}").first.evaluate("one => one.getBBox().width")
        for kind in ("track", "spent", "held")
    }
    assert box["spent"] / box["track"] == pytest.approx(shape.spent_nano / shape.limit_nano, abs=0.002)
    assert box["held"] / box["track"] == pytest.approx(shape.held_nano / shape.limit_nano, abs=0.002)
    places = item.locator(".meter .rung").evaluate_all("all => all.map(one => one.getBBox().x)")
    assert [place / box["track"] for place in places] == pytest.approx(
        [float(rung.at) for rung in shape.ladder], abs=0.005
    )
    assert usd(Nano(shape.spent_nano)) in item.inner_text() and usd(Nano(shape.held_nano)) in item.inner_text()


def test_the_course_ends_at_what_is_spent_and_the_cone_at_the_forecast(site: Site, browse: Browse) -> None:
    page = browse("budgets/acme-cap")
    course = site.ask("/budgets/acme-cap/course")
    assert course.past[-1].spent_nano == site.ask("/budgets/acme-cap").spent_nano
    line = page.locator(".spent-line").get_attribute("points") or ""
    cone = page.locator(".cone").get_attribute("points") or ""
    told = [float(point.split(",")[1]) for point in (line.split()[-1], cone.split()[len(course.ahead) - 1])]
    high, spent = course.ahead[-1].high_nano, course.past[-1].spent_nano
    assert (1000 - told[0]) / (1000 - told[1]) == pytest.approx(spent / high, rel=0.01)
    page.locator("summary").click()
    rows = page.locator("details tbody tr").all_inner_texts()
    assert usd(Nano(spent)) in "\n".join(rows)


def test_a_raise_by_keyboard_alone(site: Site, browse: Browse) -> None:
    page = browse("budgets/support-cap")
    page.get_by_label("By how much, in US dollars").focus()
    page.keyboard.type("1.5")
    page.keyboard.press("Tab")
    page.keyboard.type("for one day")
    page.keyboard.press("Tab")
    page.keyboard.type("a busy day")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=raised")
    expect(page.get_by_role("status")).to_contain_text("The limit is raised")
    (made,) = site.ask("/budgets/support-cap").raises
    assert (made.by_nano, made.reason, made.made_by) == (1_500_000_000, "a busy day", "ada")
    page.get_by_role("button", name="End it now").click()
    page.wait_for_url("**done=ended")
    assert site.ask("/budgets/support-cap").raises == ()


def test_the_browser_itself_refuses_what_is_no_amount(browse: Browse) -> None:
    page = browse("budgets/support-cap")
    page.get_by_label("New limit, in US dollars").fill("12,5")
    page.get_by_role("button", name="Change").click()
    assert "done=" not in page.url
    assert page.locator("#new-limit").evaluate("one => one.validity.patternMismatch")


def test_screen_readers_are_told_the_same(site: Site, browse: Browse) -> None:
    page = browse("budgets")
    expect(page.get_by_role("navigation", name="Console").get_by_role("link", name="Budgets")).to_have_attribute(
        "aria-current", "page"
    )
    shape = site.ask("/budgets/acme-cap")
    shares = f"{share(shape.spent_nano, shape.limit_nano)} spent, {share(shape.held_nano, shape.limit_nano)} held"
    expect(page.locator(".budget", has_text="acme-cap").get_by_role("img")).to_have_accessible_name(
        f"{shares}; ladder: 50 % alert; 80 % alert; 90 % downgrade; 95 % throttle; 100 % block"
    )
    assert page.get_by_role("list", name="Warnings of acme-cap").count() == 1
    page.get_by_role("link", name="acme-cap", exact=True).click()
    page.wait_for_url("**/budgets/acme-cap")
    picture = page.get_by_role("img", name="What was spent of acme-cap in its window")
    expect(picture).to_be_visible()
    assert page.get_by_role("list", name="Ladder").get_by_role("listitem").count() == 5
    for field in page.locator("main form input:not([type=hidden]), main form select").all():
        assert field.evaluate("one => one.labels.length") == 1


def test_the_pages_work_without_scripts(site: Site, browse: Browse) -> None:
    page = browse("budgets", java_script_enabled=False)
    page.get_by_label("Name or scope").fill("users")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**q=users")
    assert page.locator(".budget").count() == 1
    page.get_by_role("link", name="users-day").click()
    page.wait_for_url("**/budgets/users-day")
    assert page.locator(".each tbody th").all_inner_texts() == [
        "user:acme/<b>u3</b>", "user:acme/u1", "user:acme/u/2",
    ]  # fmt: skip


def test_a_run_is_found_and_killed(site: Site, browse: Browse) -> None:
    page = browse("runs")
    page.get_by_label("Name").fill("run_4")
    page.get_by_role("button", name="Find").click()
    page.wait_for_url("**name=run_4**")
    assert set(page.locator(".recent tbody th").all_inner_texts()) == {"run_4"}
    page.locator(".recent tbody a").first.click()
    page.wait_for_url("**/runs/run_*")
    where = page.url
    page.get_by_label("Why").fill("loops over the same file")
    page.get_by_role("button", name="Kill this run").click()
    page.wait_for_url("**done=killed")
    expect(page.get_by_role("status")).to_contain_text("The run is stopped")
    expect(page.locator("h1")).to_contain_text("killed")
    run = site.ask("/runs/" + where.rsplit("/", 1)[1]).run
    assert run.state == "killed"
    trail = site.ask("/audit", action="run.kill").data
    assert trail[0].after["reason"] == "loops over the same file"
