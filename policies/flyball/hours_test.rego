package flyball.hours_test

settings := {
	"hours": {
		"orgs": {
			"acme": {
				"weekdays": [
					1,
					2,
					3,
					4,
					5
				],
				"from": 8,
				"to": 18
			}
		}
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

test_within_and_without if {
	denied({"org": "acme", "clock": {"weekday": 1, "hour": 8}}) == set()
	denied({"org": "acme", "clock": {"weekday": 1, "hour": 18}}) == {"outside_hours"}
	denied({"org": "acme", "clock": {"weekday": 6, "hour": 12}}) == {"outside_hours"}
}

test_others_are_served_at_all_hours if denied({"org": "other", "clock": {"weekday": 7, "hour": 3}}) == set()
