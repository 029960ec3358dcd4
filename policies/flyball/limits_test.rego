package flyball.limits_test

settings := {
	"call_limits": {
		"max_output_tokens": 1000,
		"max_usd": "0.50"
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

obliged(facts) := {o | some o in data.flyball.request.obligations with input as facts with data.settings as settings}

test_no_maximum_is_capped if obliged({"max_tokens": null, "estimate_usd": "0.10"}) == {{"type": "cap_tokens", "max": 1000}}

test_a_higher_maximum_is_capped if obliged({"max_tokens": 5000, "estimate_usd": "0.10"}) == {{"type": "cap_tokens", "max": 1000}}

test_a_lower_one_stays if obliged({"max_tokens": 999, "estimate_usd": "0.10"}) == set()

test_a_dear_call_is_refused if {
	denied({"max_tokens": 1, "estimate_usd": "0.500000001"}) == {"call_too_dear"}
	denied({"max_tokens": 1, "estimate_usd": "0.50"}) == set()
}
