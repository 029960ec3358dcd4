package flyball.tools_test

settings := {
	"tools": {
		"agents": {
			"triage": [
				"read_*",
				"web_search"
			],
			"*": [
				"read_mail"
			]
		}
	}
}

denied(facts) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as settings}

test_an_agent_has_its_own_list if {
	denied({"agent": "triage", "tools": [{"name": "read_x", "type": "function"}], "provider_tools": ["web_search"]}) == set()
	denied({"agent": "triage", "tools": [{"name": "send", "type": "function"}], "provider_tools": []}) == {"tool_list"}
}

test_all_others_have_the_common_one if denied({"agent": "x", "tools": [{"name": "read_x", "type": "function"}], "provider_tools": []}) == {"tool_list"}

test_what_a_provider_runs_must_be_listed if denied({"agent": "x", "tools": [], "provider_tools": ["code_interpreter"]}) == {"tool_list"}

test_a_name_that_looks_alike_is_another_one if denied({"agent": "x", "tools": [{"name": "read_mаil", "type": "function"}], "provider_tools": []}) == {"tool_list"}
