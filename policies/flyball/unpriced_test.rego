package flyball.unpriced_test

settings := {
	"unpriced": {
		"deny": true
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

test_only_what_has_a_price_passes if {
	denied({"model": "x", "priced": false}) == {"unpriced"}
	denied({"model": "x", "priced": true}) == set()
}

test_nothing_is_refused_where_it_is_not_asked_for if {
	count(data.flyball.request.deny) == 0 with input as {"model": "x", "priced": false}
		with data.settings as {"unpriced": {"deny": false}}
}
