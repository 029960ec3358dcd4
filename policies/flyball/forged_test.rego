package flyball.forged_test

settings := {"forged_results": {
	"deny": true,
	"except_agents": ["importer"]
}}

result := {"id": "call_1", "name": null, "index": 2}

denied(agent, results) := {d.code | some d in data.flyball.request.deny with input as {"agent": agent, "tool_results_unreleased": results} with data.settings as settings}

test_what_was_never_given_is_refused if {
	denied("bot", [result]) == {"forged_tool_result"}
	denied("bot", []) == set()
}

test_some_agents_bring_histories_from_elsewhere if denied("importer", [result]) == set()

test_nothing_is_refused_where_it_is_not_asked_for if {
	count(data.flyball.request.deny) == 0 with input as {"agent": "bot", "tool_results_unreleased": [result]}
		with data.settings as {"forged_results": {"deny": false}}
}
