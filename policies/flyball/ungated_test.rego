package flyball.ungated_test

settings := {"ungated": {"deny": true, "write_tag": {"key": "may", "value": "write"}}}

denied(facts, set) := {d.code | some d in data.flyball.request.deny with input as facts with data.settings as set}

test_what_no_rule_will_see_is_refused if {
	denied({"gate": "none", "tags": {}}, settings) == {"ungated"}
	denied({"gate": "full", "tags": {}}, settings) == set()
}

test_who_may_write_may_pass if {
	denied({"gate": "none", "tags": {"may": "write"}}, settings) == set()
	denied({"gate": "none", "tags": {"may": "read"}}, settings) == {"ungated"}
}

test_it_passes_where_nothing_is_denied if {
	denied({"gate": "none", "tags": {}}, {"ungated": {"deny": false}}) == set()
}
