package flyball.pii_providers_test

settings := {"pii_providers": {
	"trusted": ["local"],
	"orgs": {"clinic": {"trusted": ["local", "eu"], "action": "redact"}},
}}

email := [{"kind": "email", "category": "pii", "role": "user", "index": 0, "count": 1}]

whole := {"whole": true, "unread_parts": 0}

candidates(names) := [{"id": sprintf("%s/m", [name]), "provider": name, "model": "m"} | some name in names]

decided(org, findings, scan, names) := {"dropped": dropped, "obliged": obliged} if {
	facts := {"org": org, "findings": findings, "findings_scan": scan, "candidates": candidates(names)}
	dropped := {d.id | some d in data.flyball.route.deny_candidates} with input as facts with data.settings as settings
	obliged := data.flyball.route.obligations with input as facts with data.settings as settings
}

test_providers_that_are_not_trusted_are_left_out if {
	decided("acme", email, whole, ["openai", "local", "eu"]) == {"dropped": {"openai/m", "eu/m"}, "obliged": set()}
}

test_without_personal_data_all_may_serve if {
	decided("acme", [], whole, ["openai", "local"]) == {"dropped": set(), "obliged": set()}
}

test_an_org_may_have_it_redacted_for_those if {
	decided("clinic", email, whole, ["eu", "openai"]) == {
		"dropped": set(),
		"obliged": {{"type": "redact", "kinds": ["pii"], "unread": "refuse"}},
	}
	decided("clinic", email, whole, ["eu", "local"]) == {"dropped": set(), "obliged": set()}
}

test_what_was_not_looked_at_is_kept_in_too if {
	decided("acme", [], {"whole": false, "unread_parts": 0}, ["openai"]).dropped == {"openai/m"}
	decided("acme", [], {"whole": true, "unread_parts": 2}, ["openai", "local"]).dropped == {"openai/m"}
}
