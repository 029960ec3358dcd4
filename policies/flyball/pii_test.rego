package flyball.pii_test

settings := {"pii": {
	"action": "redact",
	"orgs": {
		"strict": {"action": "deny", "kinds": ["card", "iban"]},
		"seeing": {"unread": "pass"},
	},
}}

found(kind) := [{"kind": kind, "category": "pii", "role": "user", "index": 0, "count": 2}]

whole := {"whole": true, "unread_parts": 0}

decided(org, findings, scan) := {"denied": denied, "obliged": obliged} if {
	facts := {"org": org, "findings": findings, "findings_scan": scan}
	denied := {d.code | some d in data.flyball.request.deny} with input as facts with data.settings as settings
	obliged := data.flyball.request.obligations with input as facts with data.settings as settings
}

test_personal_data_is_redacted if decided("acme", found("email"), whole) == {
	"denied": set(),
	"obliged": {{"type": "redact", "kinds": ["pii"], "unread": "refuse"}},
}

test_what_has_none_is_let_be if {
	decided("acme", [], whole) == {"denied": set(), "obliged": set()}
	secret := [{"kind": "jwt", "category": "secret", "role": "user", "index": 0, "count": 1}]
	decided("acme", secret, whole) == {"denied": set(), "obliged": set()}
}

test_an_org_may_have_kinds_and_an_action_of_its_own if {
	decided("strict", found("card"), whole).denied == {"pii_in_prompt"}
	decided("strict", found("email"), whole) == {"denied": set(), "obliged": set()}
}

test_what_was_not_looked_at_counts_as_personal_data if {
	decided("strict", [], {"whole": false, "unread_parts": 0}).denied == {"pii_not_looked_at"}
	decided("strict", [], {"whole": true, "unread_parts": 1}).denied == {"pii_not_looked_at"}
	count(decided("acme", [], {"whole": true, "unread_parts": 1}).obliged) == 1
	decided("seeing", [], {"whole": true, "unread_parts": 1}).obliged == set()
	decided("seeing", [], {"whole": false, "unread_parts": 0}).obliged == {{"type": "redact", "kinds": ["pii"], "unread": "pass"}}
}
