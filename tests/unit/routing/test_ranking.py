"""A ranking: who may serve a call, in which order, and who may not."""

from proxy.routing import Candidate, LeftOut, Router, RouteSettings, TargetSettings, as_listed

ONE, TWO, THREE = Candidate("one", "m"), Candidate("two", "m"), Candidate("three", "m")


def test_the_order_of_the_file_is_told_with_each_place() -> None:
    ranking = as_listed((TWO, ONE), (LeftOut(THREE, "off"),))
    assert ranking.candidates == (TWO, ONE)
    assert [(each.score, each.why) for each in ranking.order] == [
        (1, "number 1 in the file"),
        (2, "number 2 in the file"),
    ]
    assert ranking.left_out == (LeftOut(THREE, "off"),)


def test_what_is_left_out_later_stands_behind_what_was_left_out_before() -> None:
    ranking = as_listed((ONE, TWO), (LeftOut(THREE, "off"),)).without([ONE], "asked in vain")
    assert ranking.candidates == (TWO,)
    assert ranking.left_out == (LeftOut(THREE, "off"), LeftOut(ONE, "asked in vain"))


def test_a_resolution_has_the_plan_of_its_route() -> None:
    router = Router([RouteSettings(model="m", targets=(TargetSettings(provider="one"),))])
    assert router.resolve("m").plan.strategy == "priority"
