package flyball.pinning_test

settings := {
	"pinning": {
		"required": true,
		"except": [
			"sim-*"
		]
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

test_only_a_dated_name_passes if {
	denied({"model": "gpt-4o"}) == {"model_not_pinned"}
	denied({"model": "gpt-4o-2024-08-06"}) == set()
	denied({"model": "claude-sonnet-4-20250514"}) == set()
}

test_an_exception_passes if denied({"model": "sim-small"}) == set()
