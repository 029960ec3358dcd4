package flyball.tool_calls_test

settings := {"tool_calls": {
	"agents": {"triage": ["read_*", "delete_*"], "*": ["read_mail"]},
	"write_actions": ["delete_*"],
	"write_tag": {"key": "may_write", "value": "yes"}
}}

told(agent, name, more) := object.union(
	{"agent": agent, "tags": {}, "tool": {"name": name, "type": "function", "arguments": {}, "valid": true, "known": true}},
	more
)

denied(facts) := {d.code | some d in data.flyball.tool_call.deny with input as facts with data.settings as settings}

denied_by(facts, rules) := {d.code | some d in data.flyball.tool_call.deny with input as facts with data.settings as {"tool_calls": rules}}

test_an_agent_has_its_own_list if {
	denied(told("triage", "read_x", {})) == set()
	denied(told("triage", "send", {})) == {"tool_not_listed"}
	denied(told("x", "read_x", {})) == {"tool_not_listed"}
	denied(told("x", "read_mail", {})) == set()
}

test_without_lists_every_offered_tool_may_be_called if denied_by(told("x", "anything", {}), {}) == set()

test_a_tool_that_was_not_offered_is_refused if {
	denied_by(told("x", "read_x", {"tool": {"known": false, "valid": false}}), {}) == {"unknown_tool"}
	denied_by(told("x", "read_x", {"tool": {"known": false, "valid": false}}), {"allow_unknown": true}) == set()
}

test_arguments_that_the_tool_does_not_take_are_refused if {
	denied_by(told("x", "read_x", {"tool": {"valid": false}}), {}) == {"invalid_arguments"}
	denied_by(told("x", "read_x", {"tool": {"valid": false}}), {"allow_invalid": true}) == set()
}

test_a_write_needs_its_tag if {
	denied(told("triage", "delete_x", {})) == {"write_action"}
	denied(told("triage", "delete_x", {"tags": {"may_write": "no"}})) == {"write_action"}
	denied(told("triage", "delete_x", {"tags": {"may_write": "yes"}})) == set()
}

test_a_write_may_wait_for_a_person if {
	rules := {"write_actions": ["delete_*"], "write_needs": "approval"}
	facts := told("triage", "delete_x", {})
	denied_by(facts, rules) == set()
	some duty in data.flyball.tool_call.obligations with input as facts with data.settings as {"tool_calls": rules}
	duty.type == "require_approval"
}

test_a_name_that_looks_alike_is_another_one if denied(told("x", "read_mаil", {})) == {"tool_not_listed"}

registered(access) := {"tool": {"name": "read_x", "registered": {"access": access, "risk": "low", "owner": "", "version": null}}}

unregistered := {"tool": {"name": "read_x", "registered": null}}

test_with_registered_only_others_are_refused if {
	denied_by(told("x", "read_x", registered("write")), {"registered_only": true}) == set()
	denied_by(told("x", "read_x", unregistered), {"registered_only": true}) == {"unregistered_tool"}
	denied_by(told("x", "read_x", unregistered), {}) == set()
}

test_what_is_not_registered_as_reading_writes if {
	denied_by(told("x", "read_x", registered("read")), {"write_by_registry": true}) == set()
	denied_by(told("x", "read_x", registered("write")), {"write_by_registry": true}) == {"write_action"}
	denied_by(told("x", "read_x", unregistered), {"write_by_registry": true}) == {"write_action"}
}
