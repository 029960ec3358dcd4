package flyball.models_test

settings := {
	"models": {
		"orgs": {
			"acme": [
				"gpt-*"
			]
		},
		"teams": {
			"acme/support": [
				"gpt-5-mini"
			]
		},
		"keys": {
			"acme/support/bot": [
				"*"
			]
		},
		"blocked": [
			"gpt-4"
		]
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

test_the_orgs_list_counts if denied({"org": "acme", "team": "sales", "key": "x", "model": "claude-x"}) == {"model_list"}

test_the_narrowest_list_counts_alone if {
	denied({"org": "acme", "team": "support", "key": "x", "model": "gpt-5"}) == {"model_list"}
	denied({"org": "acme", "team": "support", "key": "bot", "model": "claude-x"}) == set()
}

test_others_are_free if denied({"org": "other", "team": "t", "key": "k", "model": "claude-x"}) == set()

test_a_blocked_model_is_for_nobody if denied({"org": "acme", "team": "support", "key": "bot", "model": "gpt-4"}) == {"model_blocked"}
