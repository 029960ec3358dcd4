"""Builtins that the embedded engine takes and never answers are errors at load."""

import pytest

from proxy.policy import BadPolicy, Bundle, EmbeddedRego
from proxy.policy.bundle import shipped_base

RULES = """package flyball.request

deny contains {"code": "blocked", "msg": "no"} if {
	blocked
}

blocked if {
	http.send({"method": "GET", "url": "http://127.0.0.1/list"}).body.blocked
}
"""


def load(rules: str) -> EmbeddedRego:
    return EmbeddedRego(Bundle.of({"flyball/base.rego": shipped_base(), "a/b.rego": rules}, {}))


def test_a_no_that_leans_on_the_network_is_an_error_and_no_silent_yes() -> None:
    with pytest.raises(BadPolicy) as raised:
        load(RULES)
    (problem,) = raised.value.problems
    assert problem.startswith("a/b.rego:8: http.send is not in the embedded engine;")


def test_a_function_of_ones_own_may_be_called_so() -> None:
    load('package flyball.request\nsend(x) if x == "a"\ndeny contains {"code": "x", "msg": "y"} if send("a")\n')
