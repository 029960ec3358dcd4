package flyball.agents_test

settings := {
	"agents": {
		"triage": {
			"models": [
				"gpt-5-mini"
			],
			"max_usd_per_call": "0.10",
			"tags": [
				"ticket"
			]
		}
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

good := {"agent": "triage", "model": "gpt-5-mini", "estimate_usd": "0.01", "claims": {"tags": {"ticket": "7"}}}

test_what_the_profile_says_passes if denied(good) == set()

test_each_line_of_a_profile_counts if {
	denied(object.union(good, {"model": "gpt-5"})) == {"agent_model"}
	denied(object.union(good, {"estimate_usd": "0.11"})) == {"agent_call_too_dear"}
	denied(object.union(good, {"claims": {"tags": {"ticket": ""}}})) == {"agent_tag"}
}

test_other_agents_are_free if denied(object.union(good, {"agent": "x", "model": "gpt-5"})) == set()
