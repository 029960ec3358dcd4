package flyball.injection_test

by_name(action) := {"injection": {"action": action, "write_tools": ["send_*", "code_*"]}}

order(role) := [{"kind": "instruction_override", "category": "injection", "role": role, "index": 2, "count": 1}]

tools := [
	{"name": "read_mail", "type": "function", "access": "read", "risk": "low"},
	{"name": "send_mail", "type": "function", "access": null, "risk": null},
]

decided(settings, findings, provider_tools) := {"denied": denied, "obliged": obliged} if {
	facts := {"findings": findings, "tools": tools, "provider_tools": provider_tools}
	denied := {d.code | some d in data.flyball.request.deny} with input as facts with data.settings as settings
	obligations := data.flyball.request.obligations with input as facts with data.settings as settings
	obliged := {[o.type, object.get(o, "name", "")] | some o in obligations}
}

test_a_tools_result_with_orders_is_refused if {
	decided({"injection": {}}, order("tool"), []).denied == {"injection"}
	decided({"injection": {}}, order("function"), []).denied == {"injection"}
}

test_users_may_give_orders_unless_roles_say_otherwise if {
	decided({"injection": {}}, order("user"), []) == {"denied": set(), "obliged": set()}
	decided({"injection": {"roles": ["tool", "user"]}}, order("user"), []).denied == {"injection"}
}

test_other_findings_are_no_orders if {
	email := [{"kind": "email", "category": "pii", "role": "tool", "index": 0, "count": 1}]
	decided({"injection": {}}, email, []) == {"denied": set(), "obliged": set()}
	decided({"injection": {"kinds": ["hidden_text"]}}, order("tool"), []) == {"denied": set(), "obliged": set()}
}

test_tools_that_write_are_taken_out if {
	decided(by_name("strip_tools"), order("tool"), []) == {"denied": set(), "obliged": {["strip_tool", "send_mail"]}}
	decided(by_name("strip_tools"), [], []).obliged == set()
}

test_without_patterns_what_is_not_registered_as_reading_writes if {
	stripped := {"injection": {"action": "strip_tools"}}
	decided(stripped, order("tool"), []).obliged == {["strip_tool", "send_mail"]}
}

test_or_a_person_is_asked if {
	decided(by_name("approve"), order("tool"), []).obliged == {["require_approval", ""]}
	decided({"injection": {"action": "approve", "write_tools": []}}, order("tool"), []).obliged == set()
}

test_a_tool_that_the_provider_runs_cannot_be_held_back if {
	decided(by_name("strip_tools"), order("tool"), ["code_interpreter"]).denied == {"injection_provider_tool"}
	decided(by_name("strip_tools"), order("tool"), ["web_search"]).denied == set()
}

test_a_tool_without_a_name_that_could_be_taken_out_is_refused if {
	facts := {"findings": order("tool"), "tools": [{"name": "", "type": "function"}], "provider_tools": []}
	settings := {"injection": {"action": "strip_tools"}}
	denied := {d.code | some d in data.flyball.request.deny} with input as facts with data.settings as settings
	denied == {"injection_tool_name"}
}
